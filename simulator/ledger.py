"""The ledger: every mail that was accepted, in order, and how often each delivery was asked for. The oracle of every
fault test, so it believes nothing that a sender says about itself."""

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class File:
    """A file that came with a mail. What it held is not kept."""

    filename: str
    content_type: str
    size: int
    """In bytes."""
    digest: str
    """The SHA-256 of what it held, in hexadecimal."""
    inline: bool
    """Shown within the mail's HTML, which names it by its content id."""
    content_id: str | None

    @classmethod
    def of(cls, filename: str, content_type: str, content: bytes, *, inline: bool, content_id: str | None) -> "File":
        return cls(filename, content_type, len(content), hashlib.sha256(content).hexdigest(), inline, content_id)


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail as the provider's API was given it."""

    domain: str
    message_id: str
    """Without angle brackets; the caller's own where it gave one."""
    sender: str
    to: tuple[str, ...]
    cc: tuple[str, ...]
    bcc: tuple[str, ...]
    recipients: tuple[str, ...]
    """The bare addresses of to, cc and bcc, each once."""
    subject: str
    text: str | None
    html: str | None
    headers: dict[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)
    test_mode: bool = False
    provider: str = "mailgun"
    """In whose dialect it was asked for."""
    attachments: tuple[File, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """Which delivery a request was for, as its custom variable says; None where it says nothing that can be read."""

    delivery_id: str | None = None
    attempt: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One accepted mail. `number` counts from 1 in the order of acceptance; `at` is in seconds since 1970."""

    number: int
    at: float
    delivery_id: str | None
    attempt: int | None
    answer: str
    """What the caller was told: `ok`, or the name of the fault that followed."""
    mail: Mail


class Ledger:
    """In memory, and in a file of JSON lines when there is a folder for it. Safe for many threads."""

    def __init__(self, folder: Path | None = None) -> None:
        """Reads what an earlier process left in `folder`; a line that it did not finish is dropped."""
        self._lock = threading.Lock()
        self._forget()
        self._file = None
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / "ledger.jsonl"
            complete = self._read(path)
            self._file = path.open("ab")
            self._file.truncate(complete)

    def record(self, asked: Asked, at: float, answer: str, mail: Mail | None) -> Entry | None:
        """Note a request and its answer. `mail` is what was accepted; None: nothing was."""
        with self._lock:
            entry = self._remember(asked, at, answer, mail)
            if self._file:
                line = {**asdict(asked), "at": at, "answer": answer, "mail": mail and asdict(mail)}
                self._file.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
                self._file.flush()
            return entry

    def after(self, number: int, limit: int) -> list[Entry]:
        """Up to `limit` entries that follow `number`, oldest first."""
        with self._lock:
            return self._entries[number : number + limit]

    def before(self, number: int | None, search: str = "") -> Iterator[Entry]:
        """Entries that precede `number` (None: all), newest first; only those in which a reader would find `search`."""
        with self._lock:
            entries = self._entries[: None if number is None else max(0, number - 1)]
        words = search.casefold().split()
        return (entry for entry in reversed(entries) if not words or _has(entry, words))

    def get(self, number: int) -> Entry | None:
        with self._lock:
            return self._entries[number - 1] if 0 < number <= len(self._entries) else None

    def counts(self) -> dict[str, Any]:
        """How many requests there were, how each was answered, and how many mails were accepted."""
        with self._lock:
            answers = dict(self._answers)
            return {"accepted": len(self._entries), "requests": sum(answers.values()), "answers": answers}

    def requests(self) -> dict[str, int]:
        """How often each delivery was asked for, accepted or not."""
        with self._lock:
            return dict(self._requests)

    def duplicates(self) -> dict[str, list[int]]:
        """Deliveries that were accepted more than once, with the numbers of their entries."""
        with self._lock:
            return {delivery: list(numbers) for delivery, numbers in self._accepted.items() if len(numbers) > 1}

    def accepted(self, delivery_id: str) -> list[Entry]:
        """The mails that were accepted for a delivery, oldest first."""
        with self._lock:
            return [self._entries[number - 1] for number in self._accepted.get(delivery_id, ())]

    def is_duplicate(self, entry: Entry) -> bool:
        with self._lock:
            return entry.delivery_id is not None and len(self._accepted.get(entry.delivery_id, ())) > 1

    def clear(self) -> None:
        """Forget everything, in the file too; numbers start again at 1."""
        with self._lock:
            self._forget()
            if self._file:
                self._file.truncate(0)

    def _forget(self) -> None:
        self._entries: list[Entry] = []
        self._answers: Counter[str] = Counter()
        self._requests: Counter[str] = Counter()
        self._accepted: dict[str, list[int]] = {}

    def _remember(self, asked: Asked, at: float, answer: str, mail: Mail | None) -> Entry | None:
        self._answers[answer] += 1
        if asked.delivery_id:
            self._requests[asked.delivery_id] += 1
        if mail is None:
            return None
        entry = Entry(len(self._entries) + 1, at, asked.delivery_id, asked.attempt, answer, mail)
        self._entries.append(entry)
        if asked.delivery_id:
            self._accepted.setdefault(asked.delivery_id, []).append(entry.number)
        return entry

    def _read(self, path: Path) -> int:
        """Take over the complete lines of the file; how many bytes these are."""
        if not path.exists():
            return 0
        size = 0
        with path.open("rb") as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                size += len(line)
                saved = json.loads(line)
                mail = saved.pop("mail")
                asked = Asked(saved["delivery_id"], saved["attempt"])
                self._remember(asked, saved["at"], saved["answer"], mail and _mail(mail))
        return size


def _mail(saved: dict[str, Any]) -> Mail:
    lists = ("to", "cc", "bcc", "recipients", "tags")
    files = tuple(File(**each) for each in saved.get("attachments", ()))
    return Mail(**{**saved, **{name: tuple(saved[name]) for name in lists}, "attachments": files})


def _has(entry: Entry, words: list[str]) -> bool:
    mail = entry.mail
    text = " ".join(
        (mail.sender, *mail.to, *mail.cc, *mail.bcc, mail.subject, entry.delivery_id or "", mail.message_id)
    )
    return all(word in text.casefold() for word in words)
