"""Phases side by side and for some, gates, escalations and counted duties: each fault of a definition at its place."""

from collections.abc import Callable

import pytest
from livinglab.common.v1 import options_pb2
from livinglab.program.v1 import definition_pb2

from directory import official_regions
from instruments import instrument_files
from programs import sequence
from programs.files.definition import PROGRAMS, load_definition
from programs.rules import definition as definition_rules

Definition = definition_pb2.Definition
Change = Callable[[Definition], object]
HOLD = definition_pb2.ON_MISS_HOLD
EXTEND = definition_pb2.ON_MISS_EXTEND


def program(name: str) -> Definition:
    """One of ours, without a fault."""
    definition, faults = load_definition(PROGRAMS / f"{name}.yaml", official_regions(), instrument_files())
    assert not faults
    return definition


def faults(name: str, change: Change) -> list[str]:
    """What is wrong after a change of it."""
    definition = program(name)
    change(definition)
    return [str(violation) for violation in definition_rules.faults(definition, instrument_files())]


def put(message: object, name: str, value: object) -> None:
    setattr(message, name, value)


def phase(definition: Definition, name: str) -> definition_pb2.Phase:
    return next(phase for phase in definition.phases if phase.id == name)


def escalate(definition: Definition, name: str, days: int, *roles: options_pb2.Role.ValueType) -> None:
    phase(definition, name).escalations.add(days_before=days, to=roles)


SECRETARY = options_pb2.ROLE_SECRETARY
PEMDI, VISIT = "pemdi-2026", "study-visit"


@pytest.mark.parametrize(
    ("name", "change", "expected"),
    [
        # What comes after what.
        (PEMDI, lambda d: d.phases[2].after.append("review"), "after[1]: 'review' is no phase that stands before"),
        (PEMDI, lambda d: d.phases[2].after.append("evidence"), "after[1]: 'evidence' is no phase that stands before"),
        (PEMDI, lambda d: d.phases[2].after.append("introduction"), "after[1]: names introduction twice"),
        (PEMDI, lambda d: d.phases[2].after.append("start"), "phases[2].after[1]: start stands alone"),
        (VISIT, lambda d: put(d.phases[1], "id", "start"), "phases[1].id: start is not free"),
        (VISIT, lambda d: put(d.phases[1], "opens", "2027-01-10"), "opens: is before baseline, the first in the file"),
        (PEMDI, lambda d: d.phases[2].ClearField("after"), "phases[2].opens: overlaps phase self-assessment, which"),
        (PEMDI, lambda d: put(d.phases[3], "opens", "2026-08-28"), "phases[3].opens: overlaps phase evidence, which"),
        # For whom.
        (PEMDI, lambda d: put(d.phases[5].when, "done", "nothing"), "when.done: 'nothing' is no duty of this"),
        (PEMDI, lambda d: put(d.phases[5].when, "done", "results-heard"), "results-heard is a duty of determination"),
        (PEMDI, lambda d: put(d.phases[5].when, "missed", "self-assessed"), "self-assessed is required: who misses it"),
        (VISIT, lambda d: put(d.phases[4].when, "done", "visited"), "visited is a duty of visiting, which need not"),
        (PEMDI, lambda d: put(d.phases[5].when, "index_from", "high"), "when.index_from: must be a decimal such as"),
        (PEMDI, lambda d: put(d.phases[5].when, "index_from", "0"), "when.index_from: must be a decimal such as"),
        (PEMDI, lambda d: put(d.phases[5].when, "index_below", "3.50"), "when.index_from: is not under index_below"),
        (PEMDI, lambda d: d.phases[5].when.ClearField("period"), "when.period: is required: the index of which"),
        (PEMDI, lambda d: put(d.phases[5].when, "period", "2025"), "pemdi-8-2026 of 2025 is not self-assessed in"),
        (PEMDI, lambda d: d.phases[5].when.ClearField("index_from"), "when.period: has no meaning without index"),
        (PEMDI, lambda d: d.phases[5].when.Clear(), "phases[5].when: needs done, missed, index_below or index_from"),
        # Gates.
        (
            PEMDI,
            lambda d: put(d.phases[7].gate, "quorum_percent", 50),
            "gate.quorum_percent: has no meaning where only",
        ),
        (PEMDI, lambda d: put(d.phases[7].gate, "on_miss", EXTEND), "phases[7].gate.on_miss: contradicts decision"),
        (PEMDI, lambda d: d.phases[7].gate.quorum_of.append("results-heard"), "gate.quorum_of: has no meaning where"),
        (PEMDI, lambda d: put(d.phases[7].gate, "decision", False), "gate.quorum_percent: must be between 1 and 100"),
        (PEMDI, lambda d: put(d.phases[3].gate, "on_miss", HOLD), "gate.on_miss: would hold for nothing"),
        (
            PEMDI,
            lambda d: d.phases[2].gate.quorum_of.append("self-assessed"),
            "'self-assessed' is no duty of this phase",
        ),
        (VISIT, lambda d: d.phases[7].gate.quorum_of.append("reassessed"), "gate.quorum_of[2]: names reassessed twice"),
        # Escalations.
        (PEMDI, lambda d: escalate(d, "visit", 2), "escalations[2].to: is required"),
        (PEMDI, lambda d: escalate(d, "visit", 2, options_pb2.ROLE_COACH), "escalations[2].to[0]: must be one of oper"),
        (PEMDI, lambda d: escalate(d, "visit", 2, SECRETARY, SECRETARY), "escalations[2].to[1]: names secretary twice"),
        (PEMDI, lambda d: escalate(d, "visit", 3, SECRETARY), "escalations[2].days_before: 3 stands here twice"),
        (PEMDI, lambda d: escalate(d, "visit", 30, SECRETARY), "30 days before the last day, 2026-11-13, the phase is"),
        (PEMDI, lambda d: escalate(d, "interview", -1, SECRETARY), "is after the last day, and this phase does not go"),
        (PEMDI, lambda d: escalate(d, "visit", -400, SECRETARY), "is 400 days after the last day; at most 365 are"),
        (VISIT, lambda d: escalate(d, "kick-off", -1, SECRETARY), "is after the last day, and this phase does not go"),
        (PEMDI, lambda d: escalate(d, "review", 1, SECRETARY), "escalations: have nothing to tell"),
        # Counted duties.
        (PEMDI, lambda d: put(d.phases[2].duties[0], "count", 201), "duties[0].count: must be between 1 and 200"),
        (
            PEMDI,
            lambda d: put(d.phases[2].duties[0], "count", 20),
            "duties[1].kind: asks for the same as duty evidence",
        ),
        (PEMDI, lambda d: d.phases[2].duties[0].ClearField("period"), "phases[2].duties[0].period: is required"),
        (PEMDI, lambda d: put(d.phases[2].duties[0], "instrument", "x"), "duties[0].instrument: 'x' is not a known"),
        (
            PEMDI,
            lambda d: put(d.phases[1].duties[0], "count", 1),
            "count: has no meaning for a duty of kind self_assess",
        ),
        (VISIT, lambda d: put(d.phases[3].duties[0], "count", 51), "duties[0].count: must be between 1 and 50, not 51"),
        (
            VISIT,
            lambda d: put(d.phases[3].duties[0], "period", "2026"),
            "period: has no meaning for a duty of kind visit",
        ),
        (VISIT, lambda d: put(d.phases[4].duties[0], "share", "0.5"), "share: has no meaning for a duty of kind host_"),
    ],
)
def test_a_fault_is_named_with_its_place(name: str, change: Change, expected: str) -> None:
    found = faults(name, change)
    assert any(expected in fault for fault in found), found


@pytest.mark.parametrize(
    ("name", "change"),
    [
        (PEMDI, lambda d: put(d.phases[7].gate, "on_miss", HOLD)),
        (PEMDI, lambda d: put(d.phases[0].gate, "two_persons", True)),
        (PEMDI, lambda d: put(d.phases[5].when, "done", "interview-attended")),
        (PEMDI, lambda d: put(d.phases[5].when, "missed", "evidence-half")),
        # A duty of a phase that was not for everybody: those whom it was not for have missed it.
        (VISIT, lambda d: put(d.phases[5].when, "missed", "visited")),
        (PEMDI, lambda d: escalate(d, "visit", -365, SECRETARY)),
        (PEMDI, lambda d: put(d.phases[2].duties[0], "count", 0)),
        (VISIT, lambda d: d.phases[0].after.append("start")),
    ],
)
def test_what_makes_sense_is_taken(name: str, change: Change) -> None:
    assert faults(name, change) == []


def test_phases_wait_for_those_before_them_unless_the_definition_says_otherwise() -> None:
    definition = program(PEMDI)
    names = [phase.id for phase in definition.phases]
    waits = {p.id: [names[i] for i in sequence.waits_for(definition, at)] for at, p in enumerate(definition.phases)}
    assert waits["introduction"] == []
    assert waits["self-assessment"] == waits["evidence"] == ["introduction"]
    assert waits["document"] == ["self-assessment", "evidence"]
    assert waits["visit"] == ["interview"]
    assert sequence.over_before(definition)[4] == frozenset({0, 1, 2, 3})


def test_side_by_side_phases_are_not_over_for_each_other() -> None:
    definition = program(VISIT)
    visiting, hosting = 3, 4
    before = sequence.over_before(definition)
    assert visiting not in before[hosting]
    assert hosting not in before[visiting]


def test_the_real_story_is_told_as_it_was() -> None:
    definition = program("living-lab-2022")
    assert [(p.opens, p.closes) for p in definition.phases][-1] == ("2022-11-24", "2023-01-21")
    assert [session.id for session in definition.phases[1].sessions] == [
        "workshop-past",
        "workshop-present",
        "workshop-future",
        "workshop-coaching",
    ]
    assert [(t.index, t.year, t.scope) for t in definition.targets] == [("3.0", 2023, "region"), ("3.5", 2025, "mean")]
    assert not any(phase.after or phase.HasField("when") or phase.escalations for phase in definition.phases)


def test_a_year_of_pemdi_ends_with_a_decision_of_two() -> None:
    last = program(PEMDI).phases[-1]
    assert (last.id, last.gate.decision, last.gate.two_persons) == ("determination", True, True)
