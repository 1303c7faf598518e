"""Every fault of a cohort and its definition, each with its place."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from livinglab.common.v1 import options_pb2
from livinglab.program.v1 import definition_pb2

from directory import official_regions
from instruments import instrument_files
from programs.files.definition import PROGRAMS, check_cohort, load_definition
from programs.rules import cohort as cohort_rules

NOW = datetime(2026, 3, 1, tzinfo=UTC)
COHORT = PROGRAMS / "cohorts" / "living-lab-2022.yaml"


def ours() -> tuple[definition_pb2.Definition, definition_pb2.CohortSpec]:
    """A definition and a cohort without a fault."""
    loaded = check_cohort(COHORT, official_regions(), instrument_files(), NOW)
    assert not loaded.faults
    return loaded.definition.message, loaded.cohort.message


def faults(change: Callable[[definition_pb2.Definition, definition_pb2.CohortSpec], object]) -> list[str]:
    """What is wrong after a change of ours."""
    definition, cohort = ours()
    change(definition, cohort)
    found = cohort_rules.validate(definition, cohort, official_regions(), instrument_files(), NOW)
    return [str(violation) for violation in found]


def test_the_example_cohort_can_start_and_says_that_it_is_an_example() -> None:
    _, cohort = ours()
    assert len(cohort.roster) == 62
    assert cohort.rehearsal
    assert "example" in cohort.note
    west_java = [p for p in cohort.roster if p.institution.startswith("32.")]
    assert len(west_java) == 27
    assert all(person.email.endswith(".example") for p in cohort.roster for person in p.people)


def set_field(message: object, name: str, value: object) -> None:
    setattr(message, name, value)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda d, c: set_field(d, "id", "Living Lab"), "definition.id: must be small letters"),
        (lambda d, c: set_field(d, "version", 0), "definition.version: must be 1 or more"),
        (lambda d, c: set_field(d, "time_zone", "WIB"), "definition.time_zone: 'WIB' is not a time zone"),
        (lambda d, c: set_field(d, "role_model", "32.99"), "definition.role_model: '32.99' is not a known institution"),
        (
            lambda d, c: set_field(d.phases[1], "opens", "2022-11-02"),
            "definition.phases[1].opens: overlaps phase governance",
        ),
        (lambda d, c: set_field(d.phases[1], "closes", "2022-10-01"), "definition.phases[1].opens: is after it closes"),
        (lambda d, c: set_field(d.phases[2], "closes", "2022-02-30"), "definition.phases[2].closes: must be a date"),
        (
            lambda d, c: set_field(d.phases[2], "id", "workshop"),
            "definition.phases[2].id: phase workshop is listed already",
        ),
        (
            lambda d, c: set_field(d.phases[3].duties[0], "id", "self-assessed"),
            "definition.phases[3].duties[0].id: duty self-assessed is listed already at phases[1].duties[1].id",
        ),
        (
            lambda d, c: set_field(d.phases[1].sessions[1], "id", "workshop-past"),
            "definition.phases[1].sessions[1].id: session workshop-past is listed already",
        ),
        (
            lambda d, c: set_field(d.phases[0].sessions[0], "end", "2022-11-03T01:00"),
            "definition.phases[0].sessions[0].start: lies outside of its phase",
        ),
        (
            lambda d, c: set_field(d.phases[0].sessions[0], "end", "2022-11-01T09:00"),
            "sessions[0].end: is not after its start",
        ),
        (
            lambda d, c: set_field(d.phases[0].sessions[0], "start", "morning"),
            "sessions[0].start: must be a local time",
        ),
        (lambda d, c: set_field(d.phases[0].sessions[0], "time_zone", "Mars/X"), "sessions[0].time_zone: 'Mars/X'"),
        (
            lambda d, c: set_field(d.phases[0].gate, "quorum_percent", 101),
            "gate.quorum_percent: must be between 1 and 100",
        ),
        (
            lambda d, c: set_field(d.phases[0].gate, "on_miss", 0),
            "gate.on_miss: must be one of extend, go_on, hold, stop",
        ),
        (lambda d, c: set_field(d.phases[1].gate, "extend_days", 0), "gate.extend_days: must be between 1 and 365"),
        (lambda d, c: d.phases[0].ClearField("gate"), "definition.phases[0].gate: is required"),
        (lambda d, c: d.phases[0].ClearField("invites"), "definition.phases[0].invites: invites nobody"),
        (lambda d, c: d.phases[0].invites.append(options_pb2.ROLE_MANAGER), "invites[2]: must be one of"),
        (lambda d, c: d.phases[0].duties[0].ClearField("roles"), "duties[0].roles: is required"),
        (lambda d, c: d.phases[0].duties[0].roles.append(options_pb2.ROLE_REGENT), "roles[2]: is not invited"),
        (
            lambda d, c: d.phases[0].ClearField("sessions"),
            "duties[0].kind: asks to attend in a phase that has no session",
        ),
        (lambda d, c: d.phases[1].duties[1].ClearField("instrument"), "duties[1].instrument: is required"),
        (lambda d, c: set_field(d.phases[1].duties[1], "instrument", "spbe"), "'spbe' is not a known instrument"),
        (lambda d, c: d.phases[1].duties[1].ClearField("period"), "duties[1].period: is required"),
        (lambda d, c: set_field(d.phases[3].duties[1], "period", "2022"), "spbe-59-2020 of 2022 is a duty already"),
        (lambda d, c: set_field(d.phases[3].duties[0], "share", "1.5"), "duties[0].share: must be a decimal"),
        (lambda d, c: set_field(d.phases[3].duties[0], "share", "0"), "duties[0].share: must be a decimal"),
        (
            lambda d, c: set_field(d.phases[0].duties[0], "share", "0.5"),
            "share: has no meaning for a duty of kind attend",
        ),
        (
            lambda d, c: d.phases[1].duties.pop(),
            "duties[0].kind: asks to follow up before any duty of kind plan_approved",
        ),
        (lambda d, c: d.phases[0].remind_days_before.append(9), "remind_days_before[2]: 9 days before the last day"),
        (lambda d, c: d.phases[0].remind_days_before.append(2), "remind_days_before[2]: reminds 2 days before twice"),
        (lambda d, c: set_field(d.targets[0], "scope", "city"), "targets[0].scope: must be region or mean"),
        (lambda d, c: set_field(d.targets[0], "index", "high"), "targets[0].index: must be a decimal"),
        (lambda d, c: set_field(c, "id", "a_b"), "cohort.id: must be small letters"),
        (lambda d, c: set_field(c, "definition", "other"), "cohort.definition: names 'other'"),
        (lambda d, c: set_field(c, "seconds_per_day", ""), "cohort.seconds_per_day: must be a decimal such as 1.5"),
        (lambda d, c: set_field(c, "seconds_per_day", "0"), "cohort.seconds_per_day: must be between"),
        (lambda d, c: set_field(c, "rehearsal", False), "cohort.seconds_per_day: is for rehearsals"),
        (
            lambda d, c: set_field(c, "rehearsal", False),
            "cohort.definition: is over: its last phase closed on 2023-01-21",
        ),
        (lambda d, c: c.ClearField("roster"), "cohort.roster: has no participant"),
        (
            lambda d, c: set_field(c.roster[4], "institution", "99.99"),
            "cohort.roster[4].institution: '99.99' is not a known",
        ),
        (
            lambda d, c: c.roster.append(c.roster[0]),
            "cohort.roster[62].institution: institution 11.71 is listed already",
        ),
        (lambda d, c: c.roster[0].people.append(c.roster[0].people[0]), "cohort.roster[0].people[4]: lists sekda@"),
        (lambda d, c: c.roster[0].people.pop(), "cohort.roster[0].people: 11.71 has no regent, whom summit invites"),
        (lambda d, c: set_field(c.roster[0].people[0], "email", "sekda"), "people[0].email: 'sekda' is not an e-mail"),
        (lambda d, c: set_field(c.roster[0].people[0], "language", "fr"), "people[0].language: must be id or en"),
        (lambda d, c: set_field(c.roster[0].people[0], "role", 6), "people[0].role: must be one of"),
        (lambda d, c: set_field(c.roster[0].people[0], "name", " "), "people[0].name: is required"),
        (
            lambda d, c: set_field(c.roster[0].people[0], "name", "A\nBcc: b@b.example"),
            r"people[0].name: must be one line of text, without '\n'",
        ),
        (lambda d, c: set_field(d.phases[0], "title", "A\0"), r"title: must be one line of text, without '\x00'"),
    ],
)
def test_a_fault_is_named_with_its_place(
    change: Callable[[definition_pb2.Definition, definition_pb2.CohortSpec], object], expected: str
) -> None:
    assert any(expected in fault for fault in faults(change)), faults(change)


def test_all_faults_are_named_at_once() -> None:
    def spoil(definition: definition_pb2.Definition, cohort: definition_pb2.CohortSpec) -> None:
        definition.time_zone = ""
        definition.phases[1].opens = "2022-11-01"
        cohort.roster[0].institution = "00.00"
        cohort.roster[1].people[0].email = "?"

    assert len(faults(spoil)) >= 4


def test_nothing_given_is_refused_without_a_crash() -> None:
    nothing = definition_pb2.Definition(), definition_pb2.CohortSpec()
    places = {violation.field for violation in cohort_rules.validate(*nothing, official_regions(), [], NOW)}
    assert {"definition.id", "definition.time_zone", "definition.phases", "cohort.id", "cohort.roster"} <= places


def test_more_participants_than_a_cohort_can_hold() -> None:
    def crowd(_: definition_pb2.Definition, cohort: definition_pb2.CohortSpec) -> None:
        cohort.roster.extend(definition_pb2.Participant(institution=f"{i}") for i in range(5_000))

    assert faults(crowd) == ["cohort.roster: has 5062 participants; at most 5000 are taken"]


def test_a_file_tells_the_line_of_each_fault(tmp_path: Path) -> None:
    text = (PROGRAMS / "living-lab-2022.yaml").read_text()
    text = text.replace("opens: 2022-11-03", "opens: 2022-11-02").replace(
        "    title: Lokakarya", "    titel: Lokakarya"
    )
    path = tmp_path / "living-lab-2022.yaml"
    path.write_text(text)
    _, found = load_definition(path)
    line = text.splitlines().index("    titel: Lokakarya") + 1
    assert [str(f) for f in found] == [
        f"living-lab-2022.yaml: line {line}: phases[1].titel: is not known here; did you mean title?"
    ]
    path.write_text(text.replace("titel", "title"))
    _, found = load_definition(path)
    line = text.splitlines().index("    opens: 2022-11-02") + 1
    assert [f.fault.line for f in found] == [line]
    assert "overlaps phase governance" in str(found[0])


def test_a_roster_tells_the_line_of_each_fault(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(COHORT.read_text())
    lines = (COHORT.parent / "living-lab-2022-roster.csv").read_text().splitlines()
    lines[3] = lines[3].replace("operator", "oprator", 1)
    lines.append(lines[1])
    lines.append("11.71,head,only three")
    (tmp_path / "living-lab-2022-roster.csv").write_text("\n".join(lines))
    found = [str(fault) for fault in check_cohort(tmp_path / "c.yaml", official_regions(), now=NOW).faults]
    assert len(found) == 3
    assert "roster.csv: line 4: role 'oprator' is none of operator, head, secretary, regent" in found[0]
    assert "line 250: repeats line 2: secretary sekda@kota-banda-aceh.example of 11.71" in found[1]
    assert "line 251: email is missing" in found[2]


def test_a_rule_broken_in_the_roster_is_told_at_its_line(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(COHORT.read_text())
    text = (COHORT.parent / "living-lab-2022-roster.csv").read_text()
    (tmp_path / "living-lab-2022-roster.csv").write_text(text.replace("16.06", "16.99"))
    line = next(i for i, row in enumerate(text.splitlines(), 1) if row.startswith("16.06"))
    found = check_cohort(tmp_path / "c.yaml", official_regions(), now=NOW).faults
    assert [(f.file, f.fault.line) for f in found] == [("living-lab-2022-roster.csv", line)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "is empty"),
        ("- a", "must be a mapping"),
        ("id: [", "is not YAML"),
        ("id: a\nid: b", "line 2: id: stands here twice"),
        ("definition: nowhere", "there is no definition nowhere.yaml"),
        ("definition: ../../etc/passwd", "there is no definition"),
        ("rehearsal: maybe", "must be true or false"),
        ("roster_file: none.csv", "none.csv cannot be read"),
        ("title: &a x\nnote: *a", "anchors and aliases are not taken"),
        ("\x00", "is not YAML"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    assert any(expected in str(fault) for fault in check_cohort(path, official_regions()).faults)
