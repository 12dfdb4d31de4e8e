"""What mail is shown by: renderers of texts, kept since a text never changes, and the links in them."""

from collections import OrderedDict
from collections.abc import Iterable
from threading import Lock

from fencepost.messages import Renderer
from fencepost.store import Store
from fencepost.unsubscribing import SECRET, Links


class Texts:
    """The `most` renderers that were used last: a revision never changes. May be used from several threads."""

    def __init__(self, most: int = 100) -> None:
        self._most = most
        self._kept: OrderedDict[str, Renderer] = OrderedDict()
        self._lock = Lock()
        self._links: Links | None = None

    def links(self, store: Store, public_url: str) -> Links:
        """The links by which recipients unsubscribe. Raises Unreachable before the first one was made."""
        if self._links is None:
            self._links = Links(public_url, store.cluster.secret(SECRET))
        return self._links

    def renderers(self, store: Store, revision_ids: Iterable[str | None]) -> dict[str, Renderer]:
        """Those that are on record, by revision id."""
        wanted = {revision_id for revision_id in revision_ids if revision_id}
        with self._lock:
            found = {revision_id: self._kept[revision_id] for revision_id in wanted & self._kept.keys()}
        missing = wanted - found.keys()
        if missing:
            revisions = store.texts(missing)
            found |= {revision_id: Renderer(revision.definition) for revision_id, revision in revisions.items()}
        with self._lock:
            for revision_id, renderer in found.items():
                self._kept[revision_id] = renderer
                self._kept.move_to_end(revision_id)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return found
