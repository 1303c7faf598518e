"""Rules of a phase's condition, which says for whom the phase is: by what they have done, or by the index of their
self-assessment. Pure."""

from decimal import Decimal

from livinglab.program.v1 import definition_pb2

from chassis.errors import Violation
from programs import sequence
from programs.rules import shapes
from programs.rules.duties import EVALUATIONS
from programs.rules.shapes import Faults


def faults(definition: definition_pb2.Definition) -> Faults:
    """Every fault of the conditions of a definition."""
    before = sequence.over_before(definition)
    for i, phase in enumerate(definition.phases):
        if phase.HasField("when"):
            path = f"phases[{i}].when"
            yield from _duties(path, phase.when, definition, before[i])
            yield from _index(path, phase.when, definition, before[i])
            if not any((phase.when.done, phase.when.missed, phase.when.index_below, phase.when.index_from)):
                yield Violation(path, "needs done, missed, index_below or index_from")


def _duties(
    path: str, when: definition_pb2.Condition, definition: definition_pb2.Definition, before: frozenset[int]
) -> Faults:
    places = {duty.id: (i, duty) for i, phase in enumerate(definition.phases) for duty in phase.duties}
    for field, name in (("done", when.done), ("missed", when.missed)):
        if not name:
            continue
        if name not in places:
            yield Violation(f"{path}.{field}", f"{name[:80]!r} is no duty of this definition")
            continue
        place, duty = places[name]
        phase = definition.phases[place]
        if place not in before:
            yield Violation(f"{path}.{field}", f"{name} is a duty of {phase.id}, which need not be over by then")
        elif field == "missed" and duty.required and not phase.HasField("when"):
            yield Violation(
                f"{path}.{field}", f"{name} is required: who misses it has failed and is not there any more"
            )
    if when.done and when.done == when.missed:
        yield Violation(f"{path}.missed", f"asks for {when.done[:80]} to be done and to be missed")


def _index(
    path: str, when: definition_pb2.Condition, definition: definition_pb2.Definition, before: frozenset[int]
) -> Faults:
    bounds: dict[str, Decimal] = {}
    for field in ("index_below", "index_from"):
        text = getattr(when, field)
        if (bound := shapes.index(text)) is not None:
            bounds[field] = bound
        elif text:
            yield Violation(f"{path}.{field}", f"must be a decimal such as 3.5, not {text[:80]!r}")
    if len(bounds) == 2 and bounds["index_from"] >= bounds["index_below"]:
        yield Violation(f"{path}.index_from", f"is not under index_below, {when.index_below}: nobody has such an index")
    if when.index_below or when.index_from:
        yield from _evaluation(path, when, definition, before)
        return
    for field in ("instrument", "period"):
        if getattr(when, field):
            yield Violation(f"{path}.{field}", "has no meaning without index_below or index_from")


def _evaluation(
    path: str, when: definition_pb2.Condition, definition: definition_pb2.Definition, before: frozenset[int]
) -> Faults:
    missing = [field for field in ("instrument", "period") if not getattr(when, field)]
    for field in missing:
        yield Violation(f"{path}.{field}", "is required: the index of which evaluation?")
    assessed = {
        (duty.instrument, duty.period)
        for i in before
        for duty in definition.phases[i].duties
        if duty.kind in EVALUATIONS
    }
    if not missing and (when.instrument, when.period) not in assessed:
        words = f"{when.instrument[:80]} of {when.period[:80]} is not self-assessed in a phase that is over by then"
        yield Violation(f"{path}.instrument", words)
