"""What a phase came to at its closing: it stays so, whatever is learnt later. Pure."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from livinglab.program.v1 import definition_pb2

from services.program import model

Row = Mapping[str, Any]


def was_in(row: Row, phase: str, addressed: Collection[str]) -> bool:
    """Whether the phase closed for this participant: it went on, or failed right there. Its end may be noted before
    the closing."""
    if row.get("moved_to") or (addressed and row["institution"] not in addressed):
        return False
    return row["state"] in {model.ACTIVE, model.GRADUATED} or row.get("failed_phase") == phase


def lacking(phase: definition_pb2.Phase, row: Row) -> list[str]:
    """Required duties of the phase that a participant has neither done nor was excused of."""
    return model.missing(phase, [*row["duties"], *row.get("excused", ())])


def counts(phase: definition_pb2.Phase, rows: Iterable[Row], addressed: Collection[str]) -> dict[str, Any]:
    """How many were done with every required duty, and of each duty how many had done it, missed it, were excused."""
    everybody = list(rows)
    here = [row for row in everybody if was_in(row, phase.id, addressed)]
    needs = set(model.required(phase))
    return {
        "done": sum(1 for row in everybody if needs <= set(row["duties"])) if needs else 0,
        "duties": [
            {
                "duty": duty.id,
                "done": sum(1 for row in everybody if duty.id in row["duties"]),
                "missed": sum(1 for row in here if duty.id not in {*row["duties"], *row.get("excused", ())}),
                "excused": sum(1 for row in here if duty.id in row.get("excused", ()) and duty.id not in row["duties"]),
            }
            for duty in phase.duties
        ],
    }
