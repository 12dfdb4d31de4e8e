"""Jitter: how much later than its instant an occurrence is sent, so that many schedules of one instant spread out."""

import hashlib
from datetime import datetime, timedelta


def jitter(schedule_id: str, instant: datetime, seconds: int) -> timedelta:
    """A whole number of milliseconds from 0 to below `seconds`; for a schedule and an instant always the same, whoever asks."""
    if seconds <= 0:
        return timedelta(0)
    name = f"{schedule_id}\0{round(instant.timestamp() * 1000)}\0jitter"
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8])
    return timedelta(milliseconds=number % (seconds * 1000))
