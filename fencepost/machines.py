"""Which openings are a program's and no person's. Pure.

Apple's Mail Privacy Protection fetches the pictures of every mail once it has arrived, and Gmail's proxy may do so. Some
providers tell that by themselves; else it shows in the name that the program gives, and in how soon it came.
"""

import re
from datetime import datetime, timedelta

_ALWAYS = re.compile(
    r"Mozilla/5\.0|.*(\bbot\b|\bcrawler\b|\bspider\b|barracuda|proofpoint|mimecast|safelinks|symantec).*", re.I
)
"""Apple's proxy gives `Mozilla/5.0` and nothing else; scanners of mail say what they are."""
_PROXY = re.compile(r"GoogleImageProxy|ggpht\.com|YahooMailProxy", re.I)
"""These fetch for a person who reads, too: they are machines only while nobody can have read yet."""
AT_ONCE = timedelta(seconds=10)


def is_machine(agent: str | None, at: datetime, sent_at: datetime | None) -> bool:
    """Whether a program opened the mail at `at`. `sent_at`: when it was sent, or the earliest that this can have been; None:
    unknown."""
    agent = (agent or "").strip()
    if _ALWAYS.fullmatch(agent[:1000]):
        return True
    return bool(_PROXY.search(agent)) and sent_at is not None and at - sent_at < AT_ONCE
