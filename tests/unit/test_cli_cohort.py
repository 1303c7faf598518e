"""`livinglab cohort validate`: what it says and how it ends."""

import json
from pathlib import Path

from typer.testing import CliRunner

from cli.cohort import app
from services.program.definition_file import PROGRAMS

COHORT = PROGRAMS / "cohorts" / "living-lab-2022.yaml"


def test_a_cohort_without_a_fault_is_shown_with_its_timeline() -> None:
    result = CliRunner().invoke(app, ["validate", str(COHORT)])
    assert result.exit_code == 0
    assert "no fault, 62 participants" in result.stdout
    assert "2022-11-24" in result.stdout


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
