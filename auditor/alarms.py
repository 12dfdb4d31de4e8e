"""What the auditor found, said aloud: findings on record, an alarm for each kind, log lines, the breaker's alarms cleared."""

from collections.abc import Sequence
from datetime import datetime

from auditor.gauges import Gauges
from fencepost import breaker
from fencepost.findings import Finding, Kind, Recorded
from fencepost.logs import get_logger
from fencepost.store import Store

log = get_logger(__name__)
_NAMED = 3

_SENTENCES = {
    Kind.SILENT: ("schedule has gone silent", "schedules have gone silent"),
    Kind.LATE: ("schedule is late", "schedules are late"),
    Kind.MISSING_MAIL: ("occurrence lacks mail", "occurrences lack mail"),
    Kind.STUCK: ("occurrence has mail that is stuck", "occurrences have mail that is stuck"),
    Kind.EXTRA: ("occurrence was not due", "occurrences were not due"),
    Kind.TWICE: ("occurrence was accepted twice", "occurrences were accepted twice"),
}


def detail(kind: Kind, count: int, names: Sequence[str]) -> str:
    """The alarm's sentence: how many, and the first few by name."""
    more = f" and {count - len(names)} more" if count > len(names) else ""
    return f"{count} {_SENTENCES[kind][count > 1]}: {', '.join(names)}{more}. GET /audit has the details."


class Alarms:
    """Raises and clears what follows from findings."""

    def __init__(self, store: Store, gauges: Gauges) -> None:
        self._store, self._gauges = store, gauges

    def tell(self, found: Sequence[Finding], resolved: set[str], known: Sequence[Recorded], now: datetime) -> None:
        """Put on record what was found and what is resolved; `known` was open before. Raises Unreachable."""
        names = self._names({finding.schedule_id for finding in found})
        self._store.findings.record(found, names, now)
        self._store.findings.resolve(resolved, now)
        before = {one.finding.id for one in known}
        for finding in found:
            if finding.id not in before:
                self._log(finding, names.get(finding.schedule_id, ""))
        if resolved:
            log.info("What the auditor found is resolved.", action="audit.resolved", findings=len(resolved))
        counts = self._store.findings.count_open()
        self._gauges.findings(counts)
        listed = self._store.findings.open(1000)
        for kind, count in counts.items():
            if count:
                mine = [one.schedule_name or one.finding.schedule_id for one in listed if one.finding.kind is kind]
                first = list(dict.fromkeys(mine))[:_NAMED]
                self._store.cluster.raise_alarm(f"audit.{kind}", detail(kind, count, first), now)
            else:
                self._store.cluster.clear_alarm(f"audit.{kind}")

    def clear_thawed(self) -> None:
        """End the breaker's alarms of schedules that are frozen no more."""
        prefix = breaker.alarm("")
        kinds = [alarm["kind"] for alarm in self._store.cluster.alarms() if alarm["kind"].startswith(prefix)]
        if not kinds:
            return
        schedules = self._store.audits.schedules({kind.removeprefix(prefix) for kind in kinds})
        for kind in kinds:
            schedule = schedules.get(kind.removeprefix(prefix))
            if schedule is None or not (schedule.quarantined and schedule.quarantined.frozen):
                self._store.cluster.clear_alarm(kind)

    def _log(self, finding: Finding, name: str) -> None:
        say = log.warning if finding.kind is Kind.LATE else log.error
        say(
            "The record does not show what it should.",
            action=f"audit.{finding.kind}",
            schedule_id=finding.schedule_id,
            name=name,
            at=finding.at,
            detail=finding.detail,
        )

    def _names(self, schedule_ids: set[str]) -> dict[str, str]:
        names = self._store.schedules.names(schedule_ids) if schedule_ids else {}
        return names | self._store.revisions.last_names(schedule_ids - names.keys())
