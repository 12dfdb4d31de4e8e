"""/audit: what the auditor proved, and what it found."""

from datetime import timedelta

from flask import Response

from fencepost.api_keys import Scope
from registry.access import needs
from registry.answers.audit import AuditAnswer, audit_answer
from registry.documenting import TAGS, answers, blueprint
from registry.parts import parts
from registry.replies import Reply

bp = blueprint("audit", __name__, TAGS["audit"])
_MOST = 200
_DAY = timedelta(days=1)


@bp.get("/audit", responses={200: answers(AuditAnswer, "The audit as it stands.")})
@needs(Scope.CLUSTER_READ)
def get_audit() -> Response:
    """Read the audit

    Whether every instant that was due is on record in exactly one way, and what is wrong if not.
    """
    p = parts()
    found = p.store.findings
    findings = [*found.open(_MOST), *found.resolved(p.clock.now() - _DAY, _MOST)]
    progress, counts = p.store.audits.progress(), found.count_open()
    return Reply(audit_answer(progress, findings, sum(counts.values()))).response()
