"""Whom a phase is for: whether its condition holds for a participant. Pure."""

from collections.abc import Collection
from decimal import Decimal

from livinglab.program.v1 import definition_pb2

from services.program.model.ledger import Ledger


def holds(condition: definition_pb2.Condition, duties: Collection[str], ledger: Ledger) -> bool:
    """Whether all that the condition asks for is so, by the duties done and the self-assessments in the ledger. Of an
    index nothing holds where there is no self-assessment."""
    if condition.done and condition.done not in duties:
        return False
    if condition.missed and condition.missed in duties:
        return False
    if not condition.index_below and not condition.index_from:
        return True
    result = ledger.results.get((condition.instrument, condition.period))
    if result is None or not result.index:
        return False
    index = Decimal(result.index)
    if condition.index_below and index >= Decimal(condition.index_below):
        return False
    return not condition.index_from or index >= Decimal(condition.index_from)
