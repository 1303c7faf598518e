"""`livinglab schedule create`: a file with faults launches nothing, and says them as asked. Needs no server."""

import json
from pathlib import Path

from typer.testing import CliRunner

from cli.schedule import app


def test_the_faults_of_a_file_are_json_where_json_was_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "cohort.yaml"
    file.write_text("id: c\ntitle: C\ndefinition: nowhere\n")
    asked = ("create", str(file), "--months", "3", "--day", "1")
    result = CliRunner().invoke(app, [*asked, "--json"])
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert not found["valid"]
    assert ("cohort.yaml", 3) in [(fault["file"], fault["line"]) for fault in found["faults"]]
    result = CliRunner().invoke(app, asked)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "cohort.yaml: line 3: " in result.stderr
