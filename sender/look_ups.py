"""Reading providers' records: each look-up goes on from page to page until it can say something, several at once."""

from collections.abc import Mapping, Sequence

from fencepost.providers import Provider
from fencepost.providers.http import HttpRequest
from fencepost.providers.transport import Transport
from fencepost.reconciliation import Evidence, Reference, Trace

_MOST_PAGES = 50
_NO_RECORDS = "This provider keeps no records that can be asked."


class LookUps:
    """Blocking look-ups over a transport of their own. Everything belongs to one thread."""

    def __init__(self, providers: Mapping[str, Provider], call_seconds: float) -> None:
        self._providers, self._call_seconds = providers, call_seconds
        self._transport = Transport(connections=8)

    def run(self, references: Sequence[Reference]) -> dict[str, Trace]:
        """What the records say, by delivery id; there is a trace for each."""
        traces: dict[str, Trace] = {}
        pages = dict.fromkeys(references, 0)
        for reference in references:
            provider = self._providers.get(reference.provider)
            request = provider.look_up(reference) if provider else None
            if request:
                self._transport.start(reference, request, self._call_seconds)
            else:
                traces[reference.delivery_id] = Trace(Evidence.NO_RECORDS, _NO_RECORDS)
        while self._transport.in_flight:
            for key, reply in self._transport.poll(self._call_seconds):
                assert isinstance(key, Reference)
                reference = key
                pages[reference] += 1
                found = self._providers[reference.provider].trace(reference, reply)
                if isinstance(found, HttpRequest):
                    if pages[reference] < _MOST_PAGES:
                        self._transport.start(reference, found, self._call_seconds)
                        continue
                    found = Trace(Evidence.UNREADABLE, "The provider's records go on for ever.")
                traces[reference.delivery_id] = found
        return traces

    def close(self) -> None:
        self._transport.close()
