"""The figures of a phase at the moment when it closes. They stay as they are, whatever becomes known later. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from livinglab.program.v1 import definition_pb2

from programs import phases
from services.program.model import states

Row = Mapping[str, Any]


def was_in(row: Row, phase: str, addressed: Collection[str]) -> bool:
    """Whether the phase closed for this participant: it went on, or failed right there. Its end may be noted before
    the closing."""
    if row.get("moved_to") or (addressed and row["institution"] not in addressed):
        return False
    return row["state"] in {states.ACTIVE, states.GRADUATED} or row.get("failed_phase") == phase


def lacking(phase: definition_pb2.Phase, row: Row) -> list[str]:
    """Required duties of the phase that a participant has neither done nor was excused of."""
    return phases.missing(phase, [*row["duties"], *row.get("excused", ())])


def done(phase: definition_pb2.Phase, duties: Sequence[frozenset[str]]) -> tuple[int, dict[str, int]]:
    """How many participants are done with every required duty, and with each duty, by what each of them has done."""
    needs = frozenset(phases.required(phase))
    everything = sum(1 for met in duties if needs <= met) if needs else 0
    return everything, {duty.id: sum(1 for met in duties if duty.id in met) for duty in phase.duties}


def counts(phase: definition_pb2.Phase, rows: Iterable[Row], addressed: Collection[str]) -> dict[str, Any]:
    """The same, and of each duty how many of those for whom the phase closes missed it, or were excused."""
    everybody = list(rows)
    everything, each = done(phase, [frozenset(row["duties"]) for row in everybody])
    here = [
        (frozenset(row["duties"]), frozenset(row.get("excused", ())))
        for row in everybody
        if was_in(row, phase.id, addressed)
    ]
    return {
        "done": everything,
        "duties": [
            {
                "duty": duty,
                "done": count,
                "missed": sum(1 for met, excused in here if duty not in met and duty not in excused),
                "excused": sum(1 for met, excused in here if duty in excused and duty not in met),
            }
            for duty, count in each.items()
        ],
    }
