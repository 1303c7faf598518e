"""`livinglab cohort validate`: what it says and how it ends."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.cohort.calendar import lateness
from cli.cohort.commands import app
from cli.cohort.timeline import DRAWN, chart
from directory import official_regions
from programs import timeline
from programs.files.definition import PROGRAMS, check_cohort
from programs.overrides import effective

COHORT = PROGRAMS / "cohorts" / "living-lab-2022.yaml"


EXAMPLES = [COHORT, *(PROGRAMS / "cohorts" / f"{name}.yaml" for name in ("pemdi-2026", "study-visit"))]


def validated(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["validate", *arguments])


def as_data(path: Path) -> dict[str, Any]:
    result = validated("--json", str(path))
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_our_examples_have_no_fault_and_are_rehearsals_that_say_so(path: Path) -> None:
    found = as_data(path)
    assert found["valid"]
    assert found["participants"] in {62, 10, 6}
    text = path.read_text()
    assert "rehearsal: true" in text
    assert "example roster" in text


def test_a_cohort_without_a_fault_is_shown_with_its_timeline_and_its_days() -> None:
    result = validated(str(COHORT))
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "living-lab-2022.yaml: no fault, 62 participants with 248 people"
    workshop = next(line for line in lines if line.startswith("workshop "))
    assert re.search(r"=o=r==r\|\.+ +2022-11-03 2022-11-13$", workshop)
    assert "Mon 2022-11-07" in lines
    assert any("09:00 WIB" in line and "session governance-meeting" in line for line in lines)
    assert any("10:00 WITA" in line and "session summit-signing" in line for line in lines)
    assert any("24:00 WIB" in line and "closes if 60 %" in line for line in lines)
    assert any("invitations [124 people of 62 participants: secretary, head]" in line for line in lines)


def test_what_nobody_looks_at_in_a_terminal_is_plain() -> None:
    text = validated(str(EXAMPLES[2])).stdout
    chart = text[text.index("baseline") : text.index("Beside each time")]
    assert chart.isascii()
    assert max(map(len, chart.splitlines())) <= 120


@pytest.mark.parametrize("width", [30, 60, 80, 200])
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_chart_has_a_line_a_phase_and_fits_its_width(path: Path, width: int) -> None:
    loaded = check_cohort(path, official_regions())
    definition = effective(loaded.definition.message, loaded.cohort.message)
    happenings = timeline.happenings(loaded.definition.message, loaded.cohort.message)
    lines = chart(definition, happenings, width, DRAWN).splitlines()
    phases = [phase.id for phase in definition.phases]
    assert [line.split()[0] for line in lines[2 : 2 + len(phases)]] == phases
    names, least = max(map(len, phases)) + 1, 24 + 23
    assert max(map(len, lines)) <= max(width, names + least)


def test_phases_side_by_side_stand_in_the_same_columns() -> None:
    lines = {line.split(" ")[0]: line for line in validated(str(EXAMPLES[2])).stdout.splitlines() if line}
    assert lines["visiting"].index("-") == lines["hosting"].index("-")
    assert lines["action-plan"].index("=") > lines["visiting"].index("|")
    assert "|>" in lines["action-plan"]


def test_dates_are_data_for_programs() -> None:
    found = as_data(EXAMPLES[2])
    assert (found["time_zone"], found["opens"], found["closes"]) == ("Asia/Jayapura", "2027-01-11", "2027-09-17")
    phases = {phase["phase"]: phase for phase in found["phases"]}
    assert phases["visiting"]["closes"] == "2027-04-30"
    assert phases["action-plan"]["after"] == ["visiting", "hosting"]
    assert phases["baseline"]["extended_by"] == 5
    session = next(item for item in found["calendar"] if item["session"] == "kick-off-meeting")
    assert (session["time"], session["zone_name"]) == ("2027-01-26T13:00:00+09:00", "WIT")
    assert all(item["wall_time"].endswith("Z") for item in found["calendar"])
    escalation = next(item for item in found["calendar"] if item["what"] == "escalation")
    assert (escalation["roles"], escalation["people"], escalation["if_needed"]) == (["secretary"], 6, True)


def test_a_real_cohort_has_no_times_of_a_rehearsal(tmp_path: Path) -> None:
    text = EXAMPLES[2].read_text().replace("rehearsal: true\n", "").replace('seconds_per_day: "0.5"\n', "")
    (tmp_path / "c.yaml").write_text(text)
    (tmp_path / "study-visit-roster.yaml").write_text((EXAMPLES[2].parent / "study-visit-roster.yaml").read_text())
    assert {item["wall_time"] for item in as_data(tmp_path / "c.yaml")["calendar"]} == {None}


def test_a_launch_after_the_first_days_is_told_what_it_does() -> None:
    loaded = check_cohort(EXAMPLES[2], official_regions())
    happenings = timeline.happenings(loaded.definition.message, loaded.cohort.message)
    assert lateness(happenings, datetime(2027, 1, 10, tzinfo=UTC)) == ""
    assert lateness(happenings, datetime(2027, 3, 1, tzinfo=UTC)).startswith("Days since 2027-01-11 have passed")


@pytest.mark.parametrize("name", ["living-lab-2022-roster.csv", "study-visit-roster.yaml"])
def test_a_roster_can_be_validated_by_itself(name: str) -> None:
    result = validated(str(COHORT.parent / name))
    assert result.exit_code == 0
    assert "no fault" in result.stdout


def test_each_fault_is_a_line_with_its_place_and_the_command_fails(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("id: Bad\ntitle: t\ndefinition: living-lab-2022\nrehearsal: true\nseconds_per_day: fast\n")
    result = CliRunner().invoke(app, ["validate", str(path)])
    assert result.exit_code == 1
    lines = result.stderr.splitlines()
    assert len(lines) == 3
    assert any(line.startswith("bad.yaml: line 1: id: must be small letters") for line in lines)
    assert any("roster: has no participant" in line for line in lines)
    assert lines[-1].startswith("bad.yaml: line 5: seconds_per_day: must be a decimal")


def test_faults_as_json_name_file_line_and_field(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("id: good\ntitle: t\nnobody: knows\n")
    result = CliRunner().invoke(app, ["validate", "--json", str(path)])
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert report["valid"] is False
    assert [(f["file"], f["line"], f["field"]) for f in report["faults"]] == [("bad.yaml", 3, "nobody")]


def test_a_definition_can_be_validated_by_itself() -> None:
    result = CliRunner().invoke(app, ["validate", "--json", str(PROGRAMS / "living-lab-2022.yaml")])
    assert (result.exit_code, json.loads(result.stdout)["definition"]) == (0, "living-lab-2022")


def test_a_definition_of_the_same_name_is_told_by_its_folder_wherever_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "programs" / "cohorts").mkdir(parents=True)
    (tmp_path / "programs" / "mine.yaml").write_text("id: mine\nphases: []\n")
    (tmp_path / "programs" / "cohorts" / "mine.yaml").write_text("id: c\ntitle: C\ndefinition: mine\n")
    monkeypatch.chdir(tmp_path / "programs")
    result = validated("cohorts/mine.yaml")
    assert result.exit_code == 1
    assert "programs/mine.yaml: " in result.stderr


def test_an_instrument_outside_its_years_is_told_before_anybody_is_invited(tmp_path: Path) -> None:
    text = (PROGRAMS / "study-visit.yaml").read_text()
    file = tmp_path / "study-visit.yaml"
    file.write_text(text.replace("instrument: pemdi-8-2026", "instrument: spbe-59-2020"))
    told = validated(str(file))
    assert told.exit_code == 0
    assert "baseline/baseline-assessed: spbe-59-2020 was in force from 2021 to 2025, the period is 2026" in told.stderr
    file.write_text(text)
    assert validated(str(file)).stderr == ""
