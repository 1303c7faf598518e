"""What a cohort costs, line by line and in total. Pure; amounts are exact."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from livinglab.program.v1 import cohort_pb2, definition_pb2
from livinglab.program.v1 import report_service_pb2 as pb

from services.program.model.ledger import Ledger


def lines(
    costs: Iterable[definition_pb2.Cost], cohort: cohort_pb2.Cohort, ledgers: Iterable[Ledger]
) -> list[pb.CostLine]:
    """A line a cost, as often as it has come up so far."""
    came = [phase for ledger in ledgers for phase, _ in ledger.attended]
    invited = {phase.phase: phase.invited for phase in cohort.phases}
    found = []
    for cost in costs:
        count = 1
        if cost.per == definition_pb2.COST_PER_PARTICIPANT:
            count = invited.get(cost.phase, 0) if cost.phase else cohort.participants
        elif cost.per == definition_pb2.COST_PER_ATTENDANCE:
            count = came.count(cost.phase) if cost.phase else len(came)
        amount = Decimal(cost.amount)
        found.append(
            pb.CostLine(
                title=cost.title,
                phase=cost.phase,
                count=count,
                amount=f"{amount:f}",
                total=f"{amount * count:f}",
                currency=cost.currency,
            )
        )
    return found


def totals(found: Sequence[pb.CostLine]) -> list[pb.CostLine]:
    """The sum of each currency."""
    currencies = sorted({line.currency for line in found})
    sums = {c: sum((Decimal(line.total) for line in found if line.currency == c), Decimal(0)) for c in currencies}
    return [pb.CostLine(total=f"{sums[currency]:f}", currency=currency) for currency in currencies]
