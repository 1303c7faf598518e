"""Which phases are over before another one opens: one after the other as in the file, or side by side. Pure."""

from livinglab.program.v1 import definition_pb2

# In `after`: waits for no other phase.
START = "start"


def waits_for(definition: definition_pb2.Definition, place: int) -> list[int]:
    """Places of the phases that the phase at `place` waits for itself. Names that are not of earlier phases are left
    out: they are faults."""
    named = definition.phases[place].after
    if not named:
        return [place - 1] if place else []
    return [i for i, phase in enumerate(definition.phases[:place]) if phase.id in named and phase.id != START]


def over_before(definition: definition_pb2.Definition) -> list[frozenset[int]]:
    """For each phase the places of all that are over before it opens, through others too."""
    found: list[frozenset[int]] = []
    for place in range(len(definition.phases)):
        nearest = waits_for(definition, place)
        found.append(frozenset(nearest).union(*(found[i] for i in nearest)))
    return found
