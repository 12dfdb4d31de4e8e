"""Sending what is due: every notifier takes messages, many at once, with seats of its own for each endpoint and each owner."""

import random
import secrets
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event, Lock

from fencepost.clock import Clock
from fencepost.egress import Resolve
from fencepost.errors import NotFound, Unreachable
from fencepost.failpoints import Failpoints
from fencepost.logs import get_logger
from fencepost.outages import Outages
from fencepost.providers.http import HttpRequest, Reply
from fencepost.providers.transport import Transport
from fencepost.settings import Notifier
from fencepost.store import Store
from fencepost.webhooks import Endpoint, Message, MessageState, Result, disabled_alarm, next_attempt, reason_to_disable
from notifier.calling import MAX_ANSWER_BYTES, attempt, call_once

log = get_logger(__name__)
_GONE = Result(None, 0.0, "Not called: the endpoint is off.")


class Dispatcher:
    """Claims and sends. `run` belongs to one thread, each call has another."""

    def __init__(
        self,
        store: Store,
        options: Notifier,
        clock: Clock,
        failpoints: Failpoints,
        resolve: Resolve,
        observe: Callable[[Result], None],
        outages: Outages,
    ) -> None:
        self._store, self._options, self._clock, self._failpoints = store, options, clock, failpoints
        self._resolve, self._observe, self._outages = resolve, observe, outages
        self._hold = timedelta(seconds=options.hold_seconds)
        self._lock = Lock()
        self._of_endpoint: Counter[str] = Counter()
        self._of_owner: Counter[str] = Counter()
        self._spare: list[Transport] = []
        self._wake = Event()
        self._dice = random.Random()
        self.beaten_at = clock.steady()

    def wake(self) -> None:
        """There is something due, or a seat. Safe from any thread."""
        self._wake.set()

    def run(self, stop: Event) -> None:
        """Send until `stop` is set; then wait for the calls that are under way."""
        with ThreadPoolExecutor(self._options.seats, thread_name_prefix="webhook") as threads:
            while not stop.is_set():
                self._wake.clear()
                try:
                    while not stop.is_set() and (message := self._take()):
                        threads.submit(self._send, message)
                    self._outages.over("mongodb")
                except Unreachable as error:
                    self._outages.note(error)
                except Exception:  # such as a message that can't be read: it is put off, and the others are sent
                    log.exception("A webhook could not be taken; the next one is.", action="webhook.failed")
                self.beaten_at = self._clock.steady()
                self._wake.wait(self._options.poll_seconds)
        for transport in self._spare:
            transport.close()

    def _take(self) -> Message | None:
        """A message that is due and has a seat, which is taken with it."""
        with self._lock:
            if self._of_owner.total() >= self._options.seats:
                return None
            busy = [each for each, taken in self._of_endpoint.items() if taken >= self._options.seats_per_endpoint]
            owners = [each for each, taken in self._of_owner.items() if taken >= self._options.seats_per_owner]
        message = self._store.webhook_messages.claim(busy, owners, secrets.token_hex(8), self._hold)
        if message:
            with self._lock:
                self._of_endpoint[message.webhook_id] += 1
                self._of_owner[message.owner_id] += 1
        return message

    def _send(self, message: Message) -> None:
        try:
            self._tell(message)
        except Unreachable as error:
            # Its claim runs out, and it is sent once more, under the same id.
            log.warning(
                "How a webhook ended is not on record.",
                action="webhook.unrecorded",
                message=message.id,
                error=str(error),
            )
        except Exception:
            log.exception("A webhook could not be sent.", action="webhook.failed", message=message.id)
        finally:
            with self._lock:
                self._of_endpoint -= Counter([message.webhook_id])
                self._of_owner -= Counter([message.owner_id])
            self.wake()

    def _tell(self, message: Message) -> None:
        now = self._clock.now()
        endpoint = self._endpoint(message)
        if endpoint is None:
            self._store.webhook_messages.record(message, now, _GONE, MessageState.FAILED, None)
            return
        loopback = self._options.allow_loopback
        result = attempt(message, endpoint, now, self._resolve, self._call, loopback=loopback)
        self._failpoints.hit("N2.after")
        self._observe(result)
        ended_at = self._clock.now()
        again_at = None if result.well else next_attempt(message.attempt_no, ended_at, self._dice)
        state = MessageState.DELIVERED if result.well else MessageState.PENDING if again_at else MessageState.FAILED
        self._store.webhook_messages.record(message, now, result, state, again_at)
        if not result.well:
            self._refused(endpoint, message, result, given_up=state is MessageState.FAILED)
        elif endpoint.failing_since:
            self._store.webhooks.took_one(endpoint.id)

    def _refused(self, endpoint: Endpoint, message: Message, result: Result, *, given_up: bool) -> None:
        now = self._clock.now()
        log.info(
            "An endpoint did not take a webhook.",
            action="webhook.refused",
            webhook=endpoint.id,
            message=message.id,
            status=result.status,
            detail=result.answer,
            given_up=given_up,
        )
        since = self._store.webhooks.refused_one(endpoint.id, now)
        reason = reason_to_disable(result, since, now)
        if reason and self._store.webhooks.disable(endpoint.id, reason):
            log.error("A webhook is off.", action="webhook.disabled", webhook=endpoint.id, reason=reason)
            detail = (
                f"Webhook {endpoint.id} is told nothing more. {reason} PATCH /webhooks/{endpoint.id} turns it on again."
            )
            self._store.cluster.raise_alarm(disabled_alarm(endpoint.id), detail, now)

    def _endpoint(self, message: Message) -> Endpoint | None:
        """The endpoint as it now is; None if it is off or gone."""
        try:
            endpoint = self._store.webhooks.get(message.owner_id, message.webhook_id)
        except NotFound:
            return None
        return endpoint if endpoint.enabled else None

    def _call(self, request: HttpRequest) -> Reply:
        with self._lock:
            transport = self._spare.pop() if self._spare else None
        transport = transport or Transport(
            connections=1, ca_file=self._options.ca_file, max_reply_bytes=MAX_ANSWER_BYTES
        )
        reply = call_once(transport, request, self._options.call_timeout_seconds)
        with self._lock:
            self._spare.append(transport)
        return reply
