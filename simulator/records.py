"""What a provider's own records show of the mail that it took: late, as the dials say."""

import random

from simulator.dials import Setting
from simulator.ledger import Entry, Ledger


def shown(ledger: Ledger, setting: Setting, provider: str, delivery_id: str, now: float) -> list[Entry]:
    """The mails of a delivery that this provider's records show by `now`, oldest first."""
    return [
        entry
        for entry in ledger.accepted(delivery_id)
        if entry.mail.provider == provider and entry.at + lag_seconds(setting, entry) <= now
    ]


def lag_seconds(setting: Setting, entry: Entry) -> float:
    """How long a mail stays out of sight: the same whenever it is asked for."""
    jitter = random.Random(f"{setting.seed}/{entry.number}").random()
    return (setting.index_lag_ms + setting.index_jitter_ms * jitter) / 1000
