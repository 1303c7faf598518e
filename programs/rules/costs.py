"""What a cohort's costs must say, so that the report can add them up. Pure."""

import re
from decimal import Decimal

from livinglab.program.v1 import definition_pb2

from chassis.errors import Violation
from programs.rules import shapes
from programs.rules.shapes import Faults

_MOST_COSTS = 200
_AMOUNT = re.compile(r"\d{1,15}(\.\d{1,4})?", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}")


def faults(definition: definition_pb2.Definition, cohort: definition_pb2.CohortSpec) -> Faults:
    """Every fault of the costs, with paths as in the cohort."""
    phases = {phase.id: phase for phase in definition.phases}
    if len(cohort.costs) > _MOST_COSTS:
        yield Violation("costs", f"has {len(cohort.costs)} items; at most {_MOST_COSTS} are taken")
    for i, cost in enumerate(cohort.costs[:_MOST_COSTS]):
        path = f"costs[{i}]"
        yield from shapes.text(f"{path}.title", cost.title)
        if not _AMOUNT.fullmatch(cost.amount) or not Decimal(cost.amount):
            given = f", not {cost.amount[:80]!r}" if cost.amount else ""
            yield Violation(f"{path}.amount", f"must be a decimal over 0 such as 1500000{given}")
        if not _CURRENCY.fullmatch(cost.currency):
            given = f", not {cost.currency[:80]!r}" if cost.currency else ""
            yield Violation(f"{path}.currency", f"must be three capital letters such as IDR{given}")
        if cost.phase and cost.phase not in phases:
            yield Violation(f"{path}.phase", f"{cost.phase[:80]!r} is no phase of {definition.id[:80]}")
        if cost.per not in definition_pb2.CostPer.values() or not cost.per:
            yield Violation(f"{path}.per", "must be one of cohort, participant, attendance")
        elif cost.per == definition_pb2.COST_PER_ATTENDANCE:
            yield from _attendance(path, cost, phases.get(cost.phase))


def _attendance(path: str, cost: definition_pb2.Cost, phase: definition_pb2.Phase | None) -> Faults:
    if not cost.phase:
        yield Violation(f"{path}.phase", "is required for a cost per attendance: who came to what?")
    elif phase is not None and not phase.sessions:
        yield Violation(f"{path}.per", f"counts who came, and {phase.id[:80]} has no session")
