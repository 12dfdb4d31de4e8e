"""Mails on their way to SMTP servers, each in a thread of its own for as long as that takes.

libcurl speaks SMTP too, but its multi interface stands still while a server takes its time over the farewell, and all other
calls with it.
"""

import time
from collections.abc import Callable, Hashable
from threading import Lock, Thread

from fencepost.providers.http import Reply
from fencepost.providers.smtp_call import SmtpRequest
from fencepost.providers.smtp_dialogue import Dialogue, authorities


class SmtpCalls:
    """Everything but the threads' own work belongs to one thread; `ended` is called from others."""

    def __init__(self, ca_file: str, ended: Callable[[], None]) -> None:
        """`ended` is called when `collect` would find one more that is over."""
        self._context = authorities(ca_file)
        self._ended = ended
        self._lock = Lock()
        self._open: dict[int, tuple[Hashable, float, Dialogue]] = {}
        self._done: list[tuple[Hashable, Reply]] = []
        self._count = 0

    def __len__(self) -> int:
        """Those that `collect` has not handed back."""
        return len(self._open) + len(self._done)

    @property
    def ends_at(self) -> float | None:
        """When, in monotonic seconds, the next one has to be over; None: there is none."""
        with self._lock:
            return min((ends_at for _, ends_at, _ in self._open.values()), default=None)

    def start(self, key: Hashable, request: SmtpRequest, timeout_seconds: float) -> None:
        ends_at = time.monotonic() + timeout_seconds
        dialogue = Dialogue(request, self._context, ends_at)
        self._count += 1
        number = self._count
        with self._lock:
            self._open[number] = key, ends_at, dialogue
        Thread(target=self._run, args=(number, dialogue), name=f"smtp-{number}", daemon=True).start()

    def collect(self) -> list[tuple[Hashable, Reply]]:
        """Those that ended, or whose time is over: a name that is still being looked up keeps nobody waiting."""
        now = time.monotonic()
        with self._lock:
            late = [number for number, (_, ends_at, _) in self._open.items() if ends_at <= now]
            for number in late:
                key, _, dialogue = self._open.pop(number)
                self._done.append((key, dialogue.give_up()))
            done, self._done = self._done, []
        return done

    def close(self) -> None:
        """Drop all of them."""
        with self._lock:
            for _, _, dialogue in self._open.values():
                dialogue.give_up()
            self._open, self._done = {}, []

    def _run(self, number: int, dialogue: Dialogue) -> None:
        reply = dialogue.run()
        with self._lock:
            # Whoever takes it out of the open ones has the say; the other's reply is dropped.
            mine = self._open.pop(number, None)
            if mine:
                self._done.append((mine[0], reply))
        if mine:
            self._ended()
