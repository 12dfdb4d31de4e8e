"""Our own processes, and the rules that they work by."""

from typing import Literal

from pydantic import Field, SecretStr

from fencepost.settings.values import Names, Seconds, Section


class Registry(Section):
    serves: Literal["all", "api", "hooks"] = "all"
    """`hooks`: only what providers call, and the links of unsubscription, so that a flood of these slows a process of its own; `api`: all
    but the hooks."""
    host: str = "127.0.0.1"
    port: int = Field(5000, ge=0, le=65_535)
    allowed_hosts: Names = ("127.0.0.1", "localhost", "[::1]")
    """Names a request may carry in its Host header; a foreign page that rebinds its own name is refused."""
    max_body_bytes: int = Field(1_048_576, gt=0)
    """The largest request, but for those that carry a message."""
    max_message_body_bytes: int = Field(16_777_216, gt=0)
    """The largest request that carries messages: attachments travel in base64, a third longer than they are."""
    max_attachments_bytes: int = Field(10_485_760, gt=0, le=15_728_640)
    """What the attachments of one mail may hold together. A file is one document, of which MongoDB takes 16 MB."""
    trust_loopback: bool = False
    """Whether programs of this machine need no key. True in development alone; what a proxy forwards needs one in any case."""
    key_pepper: SecretStr | None = None
    """Under which the secrets of API keys are hashed, so that the database alone is not enough even to recognise one. Keys that
    were made under another pepper open nothing."""
    requests_per_second: int = Field(500, ge=0, le=10_000)
    """So many requests of one API key are answered in any second, by all workers together; more get 429. 0: no limit."""
    wrong_keys_per_minute: int = Field(60, ge=0, le=10_000)
    """So many requests with keys that are none are answered 401 to one address in any minute, more 429. 0: no limit."""


class Frontend(Section):
    host: str = "127.0.0.1"
    port: int = Field(3000, ge=0, le=65_535)
    allowed_hosts: Names = ("127.0.0.1", "localhost", "[::1]")
    registry_url: str = "http://127.0.0.1:5000"
    simulator_url: str | None = None
    """Where the inbox is, when mail goes to the simulator; pages link to it and say so in a banner."""
    timeout_seconds: float = Field(10, gt=0)
    trust_loopback: bool = False
    """Whether a browser on this machine is signed in by itself. True in development alone; what a proxy forwards is not."""
    api_key: SecretStr | None = None
    """The key that such a browser works with, where the registry asks for one."""
    session_secret: SecretStr | None = None
    """With what the cookies of those who signed in are sealed, the same for all replicas; without one, sessions end with the process."""
    session_hours: float = Field(12, gt=0, le=24 * 30)
    """How long after signing in one is asked for the key again."""
    key_hint: str | None = None
    """Where a person finds the first key; the sign-in page says it."""
    fault_report: str | None = None
    """The file that `make chaos` writes and a page shows; without one, docs/fault-report.md beside the packages."""


class Simulator(Section):
    host: str = "127.0.0.1"
    port: int = Field(5080, ge=0, le=65_535)
    allowed_hosts: Names = ("127.0.0.1", "localhost", "[::1]", "simulator")
    """Names under which pages and ledger answer; the providers' own paths answer under any."""
    threads: int = Field(64, ge=1, le=512)
    """Requests at once: a call that hangs, or is slow on purpose, occupies one."""
    folder: str | None = None
    """Where the ledger is kept; without one it ends with the process."""
    api_key: SecretStr = SecretStr("key-simulator")
    """The domain sending key that it takes; in other dialects the API key, or the public half of it."""
    secret_key: SecretStr = SecretStr("secret-simulator")
    """The secret half, in dialects whose keys have one."""
    events_api_key: SecretStr | None = None
    """The account key that may read events; without one the sending key may, too."""
    domains: Names = ("sandbox.example.com",)
    smtp_port: int | None = Field(None, ge=0, le=65_535)
    """Where it speaks SMTP, with the same keys as user and password and without TLS; None: nowhere."""
    hooks_url: str | None = None
    """Where it tells of what became of a mail, as the providers' webhooks do, each at the address that its name is added to; None:
    nowhere. It tells for those of which something is set below; the registry knows that as the provider's."""
    webhook_signing_key: SecretStr | None = None
    """With what it signs in Mailgun's dialect."""
    sendgrid_webhook_key: SecretStr | None = None
    """With what in SendGrid's: the private key, of the curve P-256, as base64 of PKCS 8 in DER."""
    mailjet_webhook_credentials: SecretStr | None = None
    """`user:password`, with which it calls in Mailjet's."""
    topic_arn: str | None = None
    """The SNS topic that it tells through in SES's; the key and the certificate for it are its own."""
    sns_base_url: str | None = None
    """Under which address the registry finds that certificate: the simulator's, with /sns; None: its own port on this machine."""
    webhook_speedup: float = Field(600, gt=0)
    """How many times as fast as the provider it repeats what is not taken, though never within half a second."""


class Sender(Section):
    schedules_per_claim: int = Field(500, ge=1, le=5000)
    deliveries_per_claim: int = Field(500, ge=1, le=5000)
    seats: int = Field(128, ge=1, le=2000)
    """Calls that one sender may have in flight, each until its outcome is recorded."""
    shards: int = Field(64, ge=1, le=1024)
    """Fixed at the first start; a sender with another number refuses to start."""
    lease_ttl_seconds: int = Field(15, ge=2)
    lease_margin_seconds: float = Field(2, ge=0)
    """The lease is trusted until request start + TTL - margin."""
    lease_cycle_seconds: float = Field(1, ge=0.1, le=5)
    """How often etcd is read for shards that are free, or to be given to a sender that has too few."""
    call_timeout_seconds: float = Field(8, gt=0)
    """One total deadline for a call to a provider, connection included."""
    attempt_seconds: float = Field(30, gt=0)
    """An attempt's own deadline, counted from before it is claimed; no call starts that could outlast it."""
    clock_skew_seconds: float = Field(2, ge=0)
    max_clock_skew_seconds: float = Field(5, gt=0)
    """A sender whose clock is further from MongoDB's than this steps aside until it is right."""
    max_sleep_seconds: float = Field(5, gt=0, le=5)
    """The longest sleep of the loop; it wakes earlier at the next due instant or at a nudge."""
    max_instants_per_plan: int = Field(10_000, ge=1)
    """Due instants of one schedule that one pass looks at; a longer outage is worked off in several."""
    misfire_grace_seconds: int = Field(60, ge=0)
    """An occurrence found no later than this is on time; what is later is a misfire, and its policy decides."""
    retry_base_seconds: float = Field(2, gt=0)
    retry_cap_seconds: float = Field(600, gt=0)
    retry_give_up_seconds: float = Field(3 * 86_400, gt=0)
    """Mail that every provider has refused for so long fails, listed and to be replayed; counted from the first refusal."""
    drain_seconds: float = Field(20, gt=0)
    attachments_bytes: int = Field(67_108_864, gt=0)
    """What the attachments of mail under way may hold together before others wait for their seat, and as much again is kept of
    files that were read. Requests carry them in base64, so a sender's memory grows by three to four times this at most."""
    metrics_host: str = "127.0.0.1"
    metrics_port: int = Field(0, ge=0, le=65_535)
    """Where a sender serves /metrics, /healthz and /readyz; 0 takes a free port."""


class Settlement(Section):
    """How a mail whose reply was lost is settled from its provider's records."""

    window_seconds: float = Field(2100, gt=0)
    """Counted from when the mail became unknown: after this, that the records show no trace counts. Longer than the provider
    takes to index what it accepted (Mailgun: half an hour), and a call, and what clocks differ."""
    look_up_seconds: Seconds = (15, 60, 120, 300, 600, 1800)
    """When the records are read before that."""
    give_up_seconds: float = Field(86_400, gt=0)
    """After this, records that can't be read are waited for no longer: the mail is held."""
    look_ups_per_second: float = Field(1.5, gt=0, le=1000)
    """For each sender, at each provider; Mailgun takes 300 a minute of all senders."""


class Auditor(Section):
    """Compares what should have happened with what is on record. Several may run; one at a time works."""

    every_seconds: float = Field(15, gt=0, le=60)
    """How often a round begins. A larger set of schedules makes rounds longer, one follows the other then."""
    grace_seconds: float = Field(60, gt=0)
    """An instant is looked for on record this long after it was due; a schedule that went silent is named this and a round later."""
    schedules_per_slice: int = Field(1000, ge=1, le=10_000)
    lease_seconds: float = Field(60, ge=2)
    """How long another auditor waits for one that has died."""
    lookback_seconds: float = Field(3600, ge=0)
    """How far back the first round of a database looks; later ones go on where the last one ended."""
    stuck_seconds: float = Field(600, gt=0)
    """How long a delivery may stay pending, while its shard is served and its provider takes mail."""
    second_look_seconds: float = Field(3600, gt=0)
    """What is on record is looked at once more so long after it was due, when retries and settlements are over."""
    count_seconds: float = Field(5, gt=0, le=300)
    """How often what has changed is counted for the reports; less often where that takes long, a twentieth of the time at most."""
    metrics_host: str = "127.0.0.1"
    metrics_port: int = Field(0, ge=0, le=65_535)
    """Where the auditor serves /metrics, /healthz and /readyz; 0 takes a free port."""


class Notifier(Section):
    """Tells the endpoints of webhooks what becomes of mail. Several may run: one reads what changes, all of them send."""

    seats: int = Field(64, ge=1, le=512)
    """Calls that one notifier may have in flight."""
    seats_per_endpoint: int = Field(4, ge=1, le=64)
    seats_per_owner: int = Field(16, ge=1, le=512)
    """So many of the seats at most go to one owner's endpoints: those that hang must not keep others waiting."""
    call_timeout_seconds: float = Field(5, gt=0, le=30)
    """One total deadline for a call, connection included."""
    hold_seconds: float = Field(30, gt=0)
    """A message that a notifier took and said nothing more of is sent by another after this; longer than a call may take."""
    poll_seconds: float = Field(0.5, gt=0, le=5)
    """How often it looks for messages that are due."""
    lease_seconds: float = Field(10, ge=2)
    """How long another notifier waits for the reader that has died."""
    allow_loopback: bool = False
    """For development: endpoints may be on this very machine, by http and at any port. The registry goes by it, too."""
    ca_file: str | None = None
    """The authorities that endpoints' certificates are checked against, in PEM; None: those that browsers trust."""
    metrics_host: str = "127.0.0.1"
    metrics_port: int = Field(0, ge=0, le=65_535)
    """Where a notifier serves /metrics, /healthz and /readyz; 0 takes a free port."""


class Breaker(Section):
    """Stops a bug of ours at copy two: the same content to the same recipients from the same schedule again."""

    enabled: bool = True
    window_seconds: float = Field(600, gt=0, le=86_400)
    """How long a content is remembered. Instants of one schedule that are nearer to each other than this are told apart."""


class Failover(Section):
    """When mail is kept from a provider, for all senders together, and how it comes back. One value for all of them."""

    refusals_to_open: int = Field(3, ge=1)
    """So many calls in a row that were provably not accepted. A provider that refuses us (a wrong key) needs but one."""
    doubts_to_open: int = Field(10, ge=1)
    """So many calls in a row of which nobody knows how they ended."""
    failed_percent_to_open: int = Field(50, ge=1, le=100)
    """Such a share of the calls of a window, refused or in doubt."""
    calls_to_judge: int = Field(20, ge=1)
    """Fewer calls in a window than this say nothing about the share."""
    window_seconds: float = Field(10, gt=0)
    first_pause_seconds: float = Field(1, gt=0)
    """How long it is left alone at first; doubled each time that it is not well by then."""
    longest_pause_seconds: float = Field(30, gt=0)
    return_start_percent: int = Field(10, ge=1, le=100)
    """The share of its traffic that goes back to it at first, once it took a mail again."""
    return_doubles_seconds: float = Field(2, gt=0)
    """How long until that share doubles."""
    sync_seconds: float = Field(0.4, gt=0, le=0.5)
    """How often a sender reads how the providers stand; what fails is reported at once."""
    max_per_second_per_domain: float | None = Field(None, gt=0, le=100_000)
    """No more mail from one sending domain than this and one, in any second, by all senders together."""


class Retention(Section):
    days: int = Field(90, ge=8)
    """Occurrences and deliveries are purged this long after they were due, or made if that was later: beyond the fence's own
    seven days. A backfill reaches back no further."""
    report_days: int = Field(400, ge=8, le=4000)
    """How long reports count mail: from when its rows are purged on, as it was counted last."""
