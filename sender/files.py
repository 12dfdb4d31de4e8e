"""What attachments hold, on its way from MongoDB into mail: kept up to so many bytes, and read beside the courier, whose calls
must not wait for it."""

from collections import OrderedDict, deque
from collections.abc import Callable, Collection
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, Generic, TypeVar

from fencepost.errors import Unreachable
from fencepost.logs import Unforeseen, get_logger
from fencepost.store.files import Files
from sender.effects import ReadFiles

Key = TypeVar("Key")
log = get_logger(__name__)


class FileCache:
    """Files by owner and id, those that were used last, up to `most_bytes` together. May be used from several threads."""

    def __init__(self, files: Files, most_bytes: int) -> None:
        self._files, self._most_bytes = files, most_bytes
        self._kept: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    @property
    def kept_bytes(self) -> int:
        return self._bytes

    def read(self, owner_id: str, file_ids: Collection[str]) -> dict[str, bytes] | None:
        """What those hold that are on record, by id; None if MongoDB can't be reached. A content never changes."""
        found = self._look(owner_id, file_ids)
        missing = set(file_ids) - found.keys()
        if not missing:
            return found
        try:
            read = self._files.read(owner_id, missing)
        except Unreachable:
            return None
        self._keep(owner_id, read)
        return found | read

    def _look(self, owner_id: str, file_ids: Collection[str]) -> dict[str, bytes]:
        found = {}
        with self._lock:
            for file_id in file_ids:
                if (content := self._kept.get((owner_id, file_id))) is not None:
                    self._kept.move_to_end((owner_id, file_id))
                    found[file_id] = content
        return found

    def _keep(self, owner_id: str, contents: dict[str, bytes]) -> None:
        with self._lock:
            for file_id, content in contents.items():
                self._bytes += len(content) - len(self._kept.pop((owner_id, file_id), b""))
                self._kept[owner_id, file_id] = content
            while self._bytes > self._most_bytes:
                _, dropped = self._kept.popitem(last=False)
                self._bytes -= len(dropped)


class FileReader(Generic[Key]):
    """A thread that answers ReadFiles, one after the other. `wake` is called with each answer that is there to be collected."""

    def __init__(self, perform: Callable[[ReadFiles], Any], wake: Callable[[], None]) -> None:
        self._perform, self._wake = perform, wake
        self._asked: SimpleQueue[tuple[Key, ReadFiles]] = SimpleQueue()
        self._answered: deque[tuple[Key, dict[str, bytes] | None]] = deque()
        self._unforeseen = Unforeseen(log)
        self._thread = Thread(target=self._run, name="file reader", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def ask(self, key: Key, effect: ReadFiles) -> None:
        """Returns at once; `collect` will hand back `key` and its answer."""
        self._asked.put((key, effect))

    def collect(self) -> list[tuple[Key, dict[str, bytes] | None]]:
        """The answers since the last time."""
        return [self._answered.popleft() for _ in range(len(self._answered))]

    def _run(self) -> None:
        while True:
            key, effect = self._asked.get()
            answer = None
            try:
                answer = self._perform(effect)
            except Exception:  # noqa: BLE001 it is said, and its mail is tried again
                self._unforeseen.say("The files of a mail could not be read.", action="files.unreadable")
            self._answered.append((key, answer))
            self._wake()
