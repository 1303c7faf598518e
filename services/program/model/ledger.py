"""What a participant is known to have done, and which duties that meets. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from livinglab.program.v1 import definition_pb2

from programs.rules.duties import EVALUATIONS

# Instrument and period.
Race = tuple[str, str]


@dataclass(frozen=True)
class Result:
    """A self-assessment as it was handed in last, with the version of the evaluation that said so."""

    index: str
    predicate: str
    version: int


@dataclass(frozen=True)
class Ledger:
    """What facts have told of one participant, whatever phase is open: a fact may come before its phase."""

    # Phase and role, and those of them that only a delegate came for.
    attended: frozenset[tuple[str, int]] = frozenset()
    delegated: frozenset[tuple[str, int]] = frozenset()
    submitted: frozenset[Race] = frozenset()
    results: Mapping[Race, Result] = field(default_factory=dict)
    # Version of the evaluation, and how many of its indicators have evidence.
    evidence: Mapping[Race, tuple[int, int]] = field(default_factory=dict)
    # Phases whose commitment was signed.
    signed: frozenset[str] = frozenset()
    plan_approved: bool = False
    actions_done: int = 0
    actions: int = 0
    # A visit and the institution at its other end.
    visits: frozenset[tuple[str, str]] = frozenset()
    hosted: frozenset[tuple[str, str]] = frozenset()

    def attend(self, phase: str, role: int, *, delegate: bool = False) -> "Ledger":
        """Somebody came for the role: in person at least once, or by a delegate."""
        key = (phase, role)
        in_person = not delegate or (key in self.attended and key not in self.delegated)
        delegated = self.delegated - {key} if in_person else self.delegated | {key}
        return replace(self, attended=self.attended | {key}, delegated=delegated)

    def submit(self, instrument: str, period: str, result: Result | None = None) -> "Ledger":
        """A self-assessment was handed in; an older result that arrives late changes nothing."""
        key = (instrument, period)
        known = self.results.get(key)
        results = self.results
        if result and (known is None or known.version < result.version):
            results = {**self.results, key: result}
        return replace(self, submitted=self.submitted | {key}, results=results)

    def support(self, instrument: str, period: str, version: int, indicators: int) -> "Ledger":
        """So many indicators of an evaluation have evidence; an older count that arrives late changes nothing."""
        key = (instrument, period)
        if self.evidence.get(key, (0, 0))[0] >= version:
            return self
        return replace(self, evidence={**self.evidence, key: (version, indicators)})

    def sign(self, phase: str) -> "Ledger":
        """The joint commitment was signed."""
        return replace(self, signed=self.signed | {phase})

    def approve_plan(self, actions: int = 0) -> "Ledger":
        """The coach approved the plan, with so many actions; what a completed one told later stands."""
        return replace(self, plan_approved=True, actions=self.actions or actions)

    def complete_actions(self, done: int, total: int) -> "Ledger":
        """So many actions of the plan are done; an older count that arrives late changes nothing."""
        if done < self.actions_done:
            return self
        return replace(self, actions_done=done, actions=total)

    def visit(self, visit_id: str, host: str) -> "Ledger":
        """It visited another institution."""
        return replace(self, visits=self.visits | {(visit_id, host)})

    def receive(self, visit_id: str, visitor: str) -> "Ledger":
        """Another institution visited it."""
        return replace(self, hosted=self.hosted | {(visit_id, visitor)})


def _meets(ledger: Ledger, phase: definition_pb2.Phase, duty: definition_pb2.Duty) -> bool:
    count = duty.count or 1
    if duty.kind == definition_pb2.DUTY_KIND_ATTEND:
        return all((phase.id, role) in ledger.attended for role in duty.roles)
    if duty.kind in EVALUATIONS:
        return (duty.instrument, duty.period) in ledger.submitted
    if duty.kind == definition_pb2.DUTY_KIND_SIGN_COMMITMENT:
        return phase.id in ledger.signed
    if duty.kind == definition_pb2.DUTY_KIND_PLAN_APPROVED:
        return ledger.plan_approved
    if duty.kind == definition_pb2.DUTY_KIND_FOLLOW_UP:
        return ledger.actions > 0 and ledger.actions_done >= Decimal(duty.share) * ledger.actions
    if duty.kind == definition_pb2.DUTY_KIND_SUBMIT_EVIDENCE:
        return ledger.evidence.get((duty.instrument, duty.period), (0, 0))[1] >= count
    if duty.kind == definition_pb2.DUTY_KIND_HOST_VISIT:
        return len(ledger.hosted) >= count
    if duty.kind == definition_pb2.DUTY_KIND_VISIT:
        return len({host for _, host in ledger.visits}) >= count
    return False


def duties_met(definition: definition_pb2.Definition, ledger: Ledger) -> list[str]:
    """The duties of the definition that what was done meets, in the definition's order."""
    return [duty.id for phase in definition.phases for duty in phase.duties if _meets(ledger, phase, duty)]
