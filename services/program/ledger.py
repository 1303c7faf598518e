"""What a participant is known to have done, and which duties that meets. Pure."""

from dataclasses import dataclass, replace
from decimal import Decimal

from livinglab.program.v1 import definition_pb2


@dataclass(frozen=True)
class Ledger:
    """What facts have told of one participant, whatever phase is open: a fact may come before its phase."""

    # Phase and role.
    attended: frozenset[tuple[str, int]] = frozenset()
    # Instrument and period.
    submitted: frozenset[tuple[str, str]] = frozenset()
    # Phases whose commitment was signed.
    signed: frozenset[str] = frozenset()
    plan_approved: bool = False
    actions_done: int = 0
    actions: int = 0

    def attend(self, phase: str, role: int) -> "Ledger":
        """Somebody came for the role, in person or by a delegate."""
        return replace(self, attended=self.attended | {(phase, role)})

    def submit(self, instrument: str, period: str) -> "Ledger":
        """A self-assessment was handed in."""
        return replace(self, submitted=self.submitted | {(instrument, period)})

    def sign(self, phase: str) -> "Ledger":
        """The joint commitment was signed."""
        return replace(self, signed=self.signed | {phase})

    def approve_plan(self) -> "Ledger":
        """The coach approved the plan."""
        return replace(self, plan_approved=True)

    def complete_actions(self, done: int, total: int) -> "Ledger":
        """So many actions of the plan are done; an older count that arrives late changes nothing."""
        if done < self.actions_done:
            return self
        return replace(self, actions_done=done, actions=total)


def _meets(ledger: Ledger, phase: definition_pb2.Phase, duty: definition_pb2.Duty) -> bool:
    if duty.kind == definition_pb2.DUTY_KIND_ATTEND:
        return all((phase.id, role) in ledger.attended for role in duty.roles)
    if duty.kind in {definition_pb2.DUTY_KIND_SELF_ASSESS, definition_pb2.DUTY_KIND_REASSESS}:
        return (duty.instrument, duty.period) in ledger.submitted
    if duty.kind == definition_pb2.DUTY_KIND_SIGN_COMMITMENT:
        return phase.id in ledger.signed
    if duty.kind == definition_pb2.DUTY_KIND_PLAN_APPROVED:
        return ledger.plan_approved
    if duty.kind == definition_pb2.DUTY_KIND_FOLLOW_UP:
        return ledger.actions > 0 and ledger.actions_done >= Decimal(duty.share) * ledger.actions
    return False


def duties_met(definition: definition_pb2.Definition, ledger: Ledger) -> list[str]:
    """The duties of the definition that what was done meets, in the definition's order."""
    return [duty.id for phase in definition.phases for duty in phase.duties if _meets(ledger, phase, duty)]
