"""What a sender reports of its calls to a provider."""

from dataclasses import dataclass, replace

from fencepost.deliveries import Outcome, OutcomeKind

ANSWERED = (OutcomeKind.ACCEPTED, OutcomeKind.REJECTED)
"""Outcomes that show that the provider is well, whatever it said of the mail."""


@dataclass(frozen=True, slots=True)
class Report:
    """How the calls to one provider ended since the last report."""

    calls: int = 0
    failures: int = 0
    """Not accepted because of us or of the provider, or in doubt."""
    succeeded: bool = False
    """One was answered as it should be, whatever it said of its mail."""
    refusals: int = 0
    """Provably not accepted, in a row, after the last that was answered as it should be."""
    doubts: int = 0
    misconfigured: bool = False
    began_seconds_ago: float = 0.0
    """When the newest of the failed calls began."""
    wait_seconds: float = 0.0
    """It asked to be left alone for so long."""
    probe: str = ""
    """How the call that the grant was for ended: `ok`, `failed`, or `spent` where it told neither."""
    reason: str = ""
    wants: bool = False
    """There is mail with which it can be found out whether it is well again."""
    returns: bool = False
    """The grant was not used."""

    def after(self, outcome: Outcome, *, probe: bool) -> "Report":
        """The report with one more call in it; `probe`: the grant was for it."""
        report = replace(self, calls=self.calls + 1)
        match outcome.kind:
            case OutcomeKind.THROTTLED:
                return replace(report, probe="spent") if probe else report
            case OutcomeKind.UNAVAILABLE:
                report = replace(
                    report,
                    failures=report.failures + 1,
                    refusals=report.refusals + 1,
                    misconfigured=report.misconfigured or outcome.misconfigured,
                    reason=outcome.detail,
                )
            case OutcomeKind.UNKNOWN:
                report = replace(
                    report,
                    failures=report.failures + 1,
                    doubts=report.doubts + 1,
                    reason=report.reason or outcome.detail,
                )
            case _:
                report = replace(report, succeeded=True, refusals=0, doubts=0)
        if probe:
            report = replace(report, probe="ok" if outcome.kind in ANSWERED else "failed")
        return report

    def then(self, later: "Report") -> "Report":
        """Both in one."""
        return Report(
            calls=self.calls + later.calls,
            failures=self.failures + later.failures,
            succeeded=self.succeeded or later.succeeded,
            refusals=later.refusals if later.succeeded else self.refusals + later.refusals,
            doubts=later.doubts if later.succeeded else self.doubts + later.doubts,
            misconfigured=self.misconfigured or later.misconfigured,
            probe=later.probe or self.probe,
            reason=later.reason or self.reason,
            wants=later.wants,
        )
