"""What people do: write schedules by the API, and read what arrived."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from tests.support.eventually import eventually

HANDS = 8
PAGE = 100
_TIMEOUT_SECONDS = 30


class People:
    """HTTP clients of a registry and of the ledger of one simulator. Everything raises requests.RequestException."""

    def __init__(
        self,
        registry_url: str,
        simulator_url: str,
        *,
        domain: str = "sandbox.example.com",
        key: Callable[[], str] = str,
    ) -> None:
        """`key` reads the API key to call with, anew each time that the registry is waited for; by default there is none."""
        self._read_key = key
        self._key: str | None = None
        self._registry_url = registry_url
        self._simulator_url = simulator_url
        self._domain = domain
        self._of_thread = threading.local()

    def wait_until_ready(self, seconds: float = 90) -> None:
        """The registry reaches all its servers and takes schedules."""
        self._key = None  # fresh volumes have another
        eventually(self._is_ready, seconds=seconds, every=0.25)

    def schedule(self, at: datetime, recipients: Sequence[str], subject: str = "Once") -> str:
        """Create a schedule that is due at that instant; its id."""
        body = {
            "name": subject,
            "recurrence": {"type": "once", "at": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), "timezone": "UTC"},
            "message": {
                "from": f"fencepost@{self._domain}",
                "to": list(recipients),
                "subject": subject,
                "text": "This mail is sent once.",
            },
        }
        answer = self._session.post(
            f"{self._registry_url}/schedules", json=body, headers=self.headers, timeout=_TIMEOUT_SECONDS
        )
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def schedule_each(self, at: datetime, recipients: Sequence[str]) -> list[str]:
        """Create a schedule for each, several at a time; their ids."""
        with ThreadPoolExecutor(HANDS) as pool:
            return list(pool.map(lambda recipient: self.schedule(at, [recipient]), recipients))

    def get(self, path: str, **query: str | int) -> dict[str, Any]:
        answer = self._session.get(
            f"{self._registry_url}{path}", params=query, headers=self.headers, timeout=_TIMEOUT_SECONDS
        )
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def list(self, path: str, **query: str) -> Iterator[dict[str, Any]]:
        """All items, page by page."""
        cursor: dict[str, str] = {}
        while True:
            page = self.get(path, limit=PAGE, **query, **cursor)
            yield from page["data"]
            if not page["next_cursor"]:
                return
            cursor = {"cursor": page["next_cursor"]}

    def accepted(self) -> int:
        """How many mails the simulator has accepted."""
        return int(self._of_simulator("/_simulator/ledger/count")["accepted"])

    def mails(self, since: int = 0) -> Sequence[dict[str, Any]]:
        """The ledger's entries after that number."""
        found: Sequence[dict[str, Any]] = self._of_simulator(f"/_simulator/ledger?since={since}&limit=10000")["data"]
        return found

    def turn(self, **dials: float) -> None:
        """Set the simulator's dials; what is not named does no harm again."""
        answer = self._session.put(f"{self._simulator_url}/_simulator/dials", json=dials, timeout=_TIMEOUT_SECONDS)
        answer.raise_for_status()

    def expect_mail(self, subject: str) -> str:
        """Write a schedule that is due in three seconds, and see its mail arrive; the schedule's id."""
        self.wait_until_ready()
        before = self.accepted()
        schedule_id = self.schedule(datetime.now(UTC) + timedelta(seconds=3), ["ada@example.com"], subject)
        eventually(lambda: subject in [mail["subject"] for mail in self.mails(before)], seconds=60, every=0.25)
        return schedule_id

    @property
    def headers(self) -> dict[str, str]:
        """What shows the registry who calls."""
        if self._key is None:
            self._key = self._read_key()
        return {"Authorization": f"Bearer {self._key}"} if self._key else {}

    @property
    def _session(self) -> requests.Session:
        if not hasattr(self._of_thread, "session"):
            self._of_thread.session = requests.Session()
            self._of_thread.session.trust_env = False
        session: requests.Session = self._of_thread.session
        return session

    def _is_ready(self) -> bool:
        try:
            return self._session.get(f"{self._registry_url}/readyz", timeout=_TIMEOUT_SECONDS).ok
        except requests.ConnectionError:
            return False

    def _of_simulator(self, path: str) -> dict[str, Any]:
        answer = self._session.get(f"{self._simulator_url}{path}", timeout=_TIMEOUT_SECONDS)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found
