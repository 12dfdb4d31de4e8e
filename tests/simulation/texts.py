"""The texts that schedules have in a simulation, and what an oracle of few lines knows of each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from fencepost.definitions import parse
from tests.simulation.clocks import BEGINNING

ENDS_SECONDS = 40


@dataclass(frozen=True, slots=True)
class Text:
    """One text: when it is due (seconds since the beginning), to whom, and how it wants doubt to be settled."""

    name: str
    every: int
    first: int
    to: tuple[str, ...]
    on_unknown: str = "hold"
    misfire: str = "all"
    overlap: str = "allow"
    jitter: int = 0
    """In seconds."""

    def instants(self, until_seconds: int = ENDS_SECONDS) -> Iterator[datetime]:
        for seconds in range(self.first, until_seconds + 1, self.every):
            yield BEGINNING + timedelta(seconds=seconds)

    def definition(self) -> Mapping[str, Any]:
        """As the registry stores it."""
        return parse(
            {
                "name": self.name,
                "recurrence": {"type": "interval", "every": f"{self.every}s"},
                "starts_at": (BEGINNING + timedelta(seconds=self.first)).isoformat(),
                "ends_at": (BEGINNING + timedelta(seconds=ENDS_SECONDS)).isoformat(),
                "misfire": {"policy": self.misfire},
                "overlap": self.overlap,
                "jitter_seconds": self.jitter,
                "on_unknown": self.on_unknown,
                "message": {
                    "from": "post@example.com",
                    "to": list(self.to),
                    "subject": self.name,
                    "text": "Here it is.",
                },
            }
        )


ANN, BOB = "ann@example.com", "bob@example.com"
TEXTS = {
    text.name: text
    for text in (
        Text("plain", 5, 2, (ANN,)),
        Text("two", 7, 3, (ANN, BOB)),
        Text("often", 3, 2, (BOB,)),
        Text("latest", 4, 1, (ANN,), misfire="latest"),
        Text("skip", 5, 2, (ANN,), misfire="skip"),
        Text("resend", 5, 2, (ANN,), on_unknown="resend"),
        Text("at once", 7, 3, (ANN,), on_unknown="resend_at_once"),
        Text("spread", 5, 2, (ANN,), jitter=4),
        Text("one at a time", 3, 2, (ANN,), overlap="skip"),
        Text("in line", 3, 2, (BOB,), overlap="queue_one"),
    )
}
CHOICES = list(TEXTS)
"""What people choose from in a run; the plays have some of their own."""
TEXTS |= {
    text.name: text
    for text in (
        Text("even", 4, 2, (ANN,)),
        Text("odd", 4, 3, (ANN,)),
        Text("single", 100, 2, (ANN,)),
        Text("single, sent again", 100, 2, (ANN,), on_unknown="resend"),
    )
}
DEFINITIONS = {name: text.definition() for name, text in TEXTS.items()}
