"""A definition as one cohort has it, and what is told of overrides that break a rule; rules hold for any message."""

from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st
from livinglab.program.v1 import definition_pb2
from livinglab.program.v1.definition_pb2 import CohortSpec, Definition

from directory import official_regions
from instruments import instrument_files
from programs import timeline
from programs.files.definition import PROGRAMS, check_cohort
from programs.overrides import effective
from programs.rules import cohort as cohort_rules

COHORT = PROGRAMS / "cohorts" / "study-visit.yaml"
# Values that get far into the rules, and some that do not.
WORDS = [
    *("baseline", "kick-off", "visiting", "kick-off-meeting", "start", "a", "study-visit", "32.11", "Asia/Jayapura"),
    *("2027-01-11", "2027-02-29", "2028-02-29", "9999-12-31", "2027-01-26T09:00", "2027-01-26T25:00"),
    *("3.5", "0.5", "1e9", "NaN", "-1", "Asia/Jakarta", "Mars/Phobos", "../x", "IDR", "pemdi-8-2026", "2026", "id"),
    *("baseline-assessed", "x" * 400, "\x00", "\ud7ff", " "),
]


def messages(kind: type[Message], depth: int = 4) -> st.SearchStrategy[Any]:
    """Any message of a kind, with lists of up to three."""
    fields = {field.name: _values(field, depth) for field in kind.DESCRIPTOR.fields}
    return st.fixed_dictionaries({}, optional=fields).map(lambda given: kind(**given))


def _values(field: Any, depth: int) -> st.SearchStrategy[Any]:
    single: st.SearchStrategy[Any]
    if field.message_type is not None:
        inner = getattr(definition_pb2, field.message_type.name)
        single = messages(inner, depth - 1) if depth else st.builds(inner)
    elif field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        single = st.sampled_from(WORDS)
    elif field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        single = st.booleans()
    elif field.cpp_type == FieldDescriptor.CPPTYPE_UINT32:
        single = st.sampled_from([0, 1, 5, 75, 2027, 2**32 - 1])
    else:
        single = st.integers(-3, 12)
    return st.lists(single, max_size=3) if field.is_repeated else single


@settings(max_examples=60, deadline=None)
@given(definition=messages(Definition), cohort=messages(CohortSpec))
def test_rules_name_faults_of_any_message_and_never_fail(definition: Definition, cohort: CohortSpec) -> None:
    found = cohort_rules.validate(definition, cohort, official_regions(), instrument_files())
    assert all(violation.field.startswith(("definition", "cohort")) for violation in found)


@settings(max_examples=60, deadline=None)
@given(definition=messages(Definition))
def test_without_overrides_a_definition_stays_as_it_is(definition: Definition) -> None:
    before = definition.SerializeToString(deterministic=True)
    found = effective(definition, CohortSpec())
    assert found == definition
    assert found is not definition
    assert definition.SerializeToString(deterministic=True) == before


@settings(max_examples=60, deadline=None)
@given(definition=messages(Definition), cohort=messages(CohortSpec))
def test_overriding_twice_is_overriding_once(definition: Definition, cohort: CohortSpec) -> None:
    once = effective(definition, cohort)
    assert effective(once, cohort) == once


def ours() -> tuple[Definition, CohortSpec]:
    loaded = check_cohort(COHORT, official_regions(), instrument_files())
    assert not loaded.faults
    return loaded.definition.message, loaded.cohort.message


def test_a_cohort_has_its_own_zone_dates_reminders_and_sessions() -> None:
    definition, cohort = ours()
    found = {phase.id: phase for phase in effective(definition, cohort).phases}
    assert effective(definition, cohort).time_zone == "Asia/Jayapura"
    assert (found["visiting"].opens, found["visiting"].closes) == ("2027-03-03", "2027-04-30")
    assert list(found["visiting"].remind_days_before) == [35, 14]
    assert list(found["hosting"].remind_days_before) == [21]
    meeting = found["kick-off"].sessions[0]
    assert (meeting.title, meeting.place) == ("Tujuan belajar dan komitmen", "Kota Jayapura")
    assert (meeting.start, meeting.time_zone) == ("2027-01-26T13:00", "Asia/Jayapura")


def test_a_gate_is_replaced_as_a_whole() -> None:
    definition, cohort = ours()
    gate = definition_pb2.Gate(quorum_percent=50, on_miss=definition_pb2.ON_MISS_GO_ON)
    cohort.overrides.add(phase="baseline", gate=gate)
    assert effective(definition, cohort).phases[0].gate == gate


FILE = """\
id: east
title: East
definition: study-visit
rehearsal: true
seconds_per_day: "0.5"
roster_file: roster.yaml
"""


def written(folder: Path, text: str) -> list[str]:
    """The faults of a cohort file with these overrides."""
    (folder / "roster.yaml").write_text((COHORT.parent / "study-visit-roster.yaml").read_text())
    (folder / "c.yaml").write_text(FILE + text)
    return [str(fault) for fault in check_cohort(folder / "c.yaml", official_regions(), instrument_files()).faults]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "overrides:\n  - phase: visiting\n    closes: 2027-04-20\n",
            ["line 9: overrides[0].closes: makes opens of action-plan wrong: overlaps phase visiting, which closes on"],
        ),
        (
            "overrides:\n  - phase: follow-up\n    closes: 2027-07-01\n",
            [
                "line 9: overrides[0].closes: makes remind_days_before[0] of follow-up wrong: 60 days before the last",
            ],
        ),
        (
            "overrides:\n  - phase: kick-off\n    closes: 2027-01-25\n",
            ["line 9: overrides[0].closes: makes sessions[0].start of kick-off wrong: lies outside of its phase"],
        ),
        (
            "overrides:\n  - phase: kick-off\n    sessions:\n      - id: kick-off-meeting\n"
            "        start: 2027-01-28T09:00\n",
            ["line 10: overrides[0].sessions[0].end: is not after its start"],
        ),
        (
            "overrides:\n  - phase: baseline\n    gate: {quorum_percent: 0, on_miss: hold, extend_days: 2}\n",
            [
                "line 9: overrides[0].gate.extend_days: has no meaning where a missed quorum does not extend",
                "line 9: overrides[0].gate.quorum_percent: must be between 1 and 100",
            ],
        ),
        ("overrides:\n  - phase: visit\n    closes: 2027-04-20\n", ["line 8: overrides[0].phase: 'visit' is no phase"]),
        ("overrides:\n  - phase: visiting\n", ["line 8: overrides[0]: changes nothing"]),
        (
            "overrides:\n  - phase: kick-off\n    sessions: [{id: market, place: x}]\n",
            ["line 9: overrides[0].sessions[0].id: 'market' is no session of kick-off"],
        ),
        (
            "overrides:\n  - {phase: hosting, closes: 2027-04-08}\n  - {phase: hosting, opens: 2027-03-04}\n",
            ["line 9: overrides[1].phase: hosting stands here twice"],
        ),
        ("time_zone: WIT\n", ["line 7: time_zone: 'WIT' is not a time zone such as Asia/Jakarta"]),
        (
            "time_zone: America/New_York\noverrides:\n  - phase: kick-off\n    closes: 2027-01-24\n",
            ["line 10: overrides[0].closes: makes sessions[0].start of kick-off wrong"],
        ),
        (
            "overrides:\n  - phase: kick-off\n    sessions: [{id: kick-off-meeting, title: New}]\n",
            ["line 9: overrides[0].sessions[0].title: stays as it is in the definition"],
        ),
        (
            "costs:\n  - {title: x, amount: 1.5, currency: Rp, per: attendance, phase: baseline}\n",
            [
                "line 8: costs[0].currency: must be three capital letters such as IDR, not 'Rp'",
                "line 8: costs[0].per: counts who came, and baseline has no session",
            ],
        ),
        (
            "costs:\n  - title: x\n    amount: -1\n    currency: IDR\n    per: participant\n    phase: lunch\n",
            ["line 9: costs[0].amount: must be a decimal over 0", "line 12: costs[0].phase: 'lunch' is no phase"],
        ),
    ],
)
def test_what_a_cohort_breaks_is_told_at_its_line(tmp_path: Path, text: str, expected: list[str]) -> None:
    found = written(tmp_path, text)
    assert len(found) == len(expected), found
    for fault, words in zip(found, expected, strict=True):
        assert fault.startswith(f"c.yaml: {words}"), found


def test_a_fault_of_the_definition_is_not_told_again_for_the_cohort() -> None:
    definition, cohort = ours()
    definition.phases[6].duties[0].share = "2"
    found = cohort_rules.validate(definition, cohort, official_regions(), instrument_files())
    assert [violation.field for violation in found] == ["definition.phases[6].duties[0].share"]


def test_a_zone_alone_can_put_a_session_out_of_its_phase() -> None:
    definition, cohort = ours()
    del cohort.overrides[:]
    definition.phases[1].sessions[0].start, definition.phases[1].sessions[0].end = (
        "2027-01-29T22:00",
        "2027-01-29T23:30",
    )
    found = cohort_rules.validate(definition, cohort, official_regions(), instrument_files())
    assert [(v.field, v.description.split(":")[0]) for v in found] == [
        ("cohort.time_zone", "makes sessions[0].start of kick-off wrong")
    ]


def test_what_counts_for_a_cohort_is_what_happens() -> None:
    definition, cohort = ours()
    opens = timeline.happenings(definition, cohort)[0]
    assert opens.local.isoformat() == "2027-01-11T00:00:00+09:00"
