"""When a schedule is due: cron, interval, RRULE and once, in a time zone. Pure; the clock is passed in.

Local time exists only in here and on pages: what goes in and comes out are aware instants in UTC, on whole seconds.
"""

from fencepost.recurrence.parsing import parse_rule
from fencepost.recurrence.preview import PreviewRow, preview
from fencepost.recurrence.rules import Rule
from fencepost.recurrence.words import words
from fencepost.recurrence.zones import zone_names

__all__ = ["PreviewRow", "Rule", "parse_rule", "preview", "words", "zone_names"]
