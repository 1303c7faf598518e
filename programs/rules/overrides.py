"""What the overrides of a cohort must hold: they name what there is, and every rule of a definition holds with them.
Pure."""

import re
from collections.abc import Collection, Iterator

from livinglab.program.v1 import definition_pb2

from chassis.errors import Violation
from programs.overrides import SESSION_FIELDS, effective
from programs.rules import definition as definition_rules
from programs.rules import shapes
from programs.rules.shapes import Faults

_MOST_OVERRIDES = 24
_MOST_SESSIONS = 40
_PLACE = re.compile(r"phases\[(\d+)\]\.?(.*)", re.DOTALL)
_FIELDS = ("opens", "closes", "gate", "remind_days_before", "sessions")


def faults(
    definition: definition_pb2.Definition,
    cohort: definition_pb2.CohortSpec,
    known_instruments: Collection[str] | None = None,
) -> list[Violation]:
    """Every fault of a cohort's time zone and overrides, with paths as in the cohort. What is wrong with the
    definition itself is not told again."""
    if not (cohort.time_zone or cohort.overrides):
        return []
    return [*_own(definition, cohort), *_Blame(definition, cohort, known_instruments).faults()]


def _own(definition: definition_pb2.Definition, cohort: definition_pb2.CohortSpec) -> Faults:
    phases = {phase.id: phase for phase in definition.phases}
    if len(cohort.overrides) > _MOST_OVERRIDES:
        yield Violation("overrides", f"has {len(cohort.overrides)} items; at most {_MOST_OVERRIDES} are taken")
    seen: set[str] = set()
    for i, override in enumerate(cohort.overrides[:_MOST_OVERRIDES]):
        path, name = f"overrides[{i}]", override.phase
        if not name:
            yield Violation(f"{path}.phase", "is required")
        elif name in seen:
            yield Violation(f"{path}.phase", f"{name[:80]} stands here twice: say all in one")
        elif name not in phases:
            yield Violation(f"{path}.phase", f"{name[:80]!r} is no phase of {definition.id[:80]}")
        else:
            yield from _sessions(path, override, phases[name])
        seen.add(name)
        if not _given(override):
            yield Violation(path, f"changes nothing: give one of {', '.join(_FIELDS)}")


def _given(override: definition_pb2.PhaseOverride) -> set[str]:
    return {field.name for field, _ in override.ListFields()} - {"phase"}


def _sessions(path: str, override: definition_pb2.PhaseOverride, phase: definition_pb2.Phase) -> Faults:
    here = {session.id for session in phase.sessions}
    seen: set[str] = set()
    for i, session in enumerate(override.sessions[:_MOST_SESSIONS]):
        place = f"{path}.sessions[{i}]"
        if session.id not in here:
            yield Violation(f"{place}.id", f"{session.id[:80]!r} is no session of {phase.id[:80]}")
        elif session.id in seen:
            yield Violation(f"{place}.id", f"{session.id[:80]} stands here twice: say all in one")
        seen.add(session.id)
        if session.title:
            yield Violation(
                f"{place}.title", f"stays as it is in the definition; {', '.join(SESSION_FIELDS)} may differ"
            )
        elif not any(getattr(session, field) for field in SESSION_FIELDS):
            yield Violation(place, f"changes nothing: give one of {', '.join(SESSION_FIELDS)}")


class _Blame:
    """Finds what in the cohort breaks a rule that the definition by itself keeps."""

    def __init__(
        self,
        definition: definition_pb2.Definition,
        cohort: definition_pb2.CohortSpec,
        known_instruments: Collection[str] | None,
    ) -> None:
        self._definition = definition
        self._cohort = cohort
        self._known = known_instruments
        self._standing = set(definition_rules.faults(definition, known_instruments))

    def faults(self) -> Iterator[Violation]:
        """Faults of the effective definition, each at what brought it about."""
        if self._cohort.time_zone and shapes.time_zone(self._cohort.time_zone) is None:
            yield Violation("time_zone", shapes.no_zone(self._cohort.time_zone))
        stages: list[set[Violation]] | None = None
        for fault in definition_rules.faults(effective(self._definition, self._cohort), self._known):
            if fault in self._standing or fault.field == "time_zone":
                continue
            own = self._own_place(fault)
            if own is None:
                stages = stages if stages is not None else self._stages()
                own = self._first_place(fault, stages)
                yield Violation(own, f"makes {self._name(fault.field)} wrong: {fault.description}")
            else:
                yield Violation(own, fault.description)

    def _own_place(self, fault: Violation) -> str | None:
        """Where the cohort gives the very field that is wrong."""
        place = _PLACE.fullmatch(fault.field)
        if place is None or int(place[1]) >= len(self._definition.phases):
            return None
        phase, rest = self._definition.phases[int(place[1])], place[2]
        top = re.split(r"[.\[]", rest, maxsplit=1)[0]
        for i, override in enumerate(self._cohort.overrides[:_MOST_OVERRIDES]):
            if override.phase != phase.id or top not in _given(override):
                continue
            if top != "sessions":
                return f"overrides[{i}].{rest}"
            at, _, field = rest.removeprefix("sessions[").partition("]")
            for j, session in enumerate(override.sessions[:_MOST_SESSIONS]):
                if session.id == phase.sessions[int(at)].id:
                    return f"overrides[{i}].sessions[{j}]{field}"
        return None

    def _stages(self) -> list[set[Violation]]:
        """Faults with the time zone alone, then with one override more each time."""
        cohort = definition_pb2.CohortSpec(time_zone=self._cohort.time_zone)
        found = []
        for override in [None, *self._cohort.overrides[:_MOST_OVERRIDES]]:
            if override is not None:
                cohort.overrides.add().CopyFrom(override)
            found.append(set(definition_rules.faults(effective(self._definition, cohort), self._known)))
        return found

    def _first_place(self, fault: Violation, stages: list[set[Violation]]) -> str:
        """The first thing with which the fault is there: an override's date rather than the whole of it."""
        first = next((i for i, stage in enumerate(stages) if fault in stage), len(stages) - 1)
        if first == 0:
            return "time_zone"
        given = _given(self._cohort.overrides[first - 1])
        dates = [field for field in ("closes", "opens") if field in given]
        return f"overrides[{first - 1}].{dates[0]}" if dates else f"overrides[{first - 1}]"

    def _name(self, path: str) -> str:
        """phases[1].opens as the definition's author knows it: opens of workshop."""
        place = _PLACE.fullmatch(path)
        if place is None or int(place[1]) >= len(self._definition.phases):
            return path
        return f"{place[2]} of {self._definition.phases[int(place[1])].id[:80]}"
