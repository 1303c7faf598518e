"""`livinglab instrument` on what levels ask for: shown in both languages, linted beside the instrument's own file."""

import json
from pathlib import Path

from typer.testing import CliRunner, Result

from cli.main import whole


def run(*arguments: object) -> Result:
    return CliRunner().invoke(whole(), [str(argument) for argument in arguments])


def test_what_the_levels_of_an_indicator_ask_for_is_shown_in_both_languages() -> None:
    arguments = ("instrument", "show", "spbe-59-2020", "--indicator", "12")
    found = json.loads(run(*arguments, "--json").stdout)
    assert [level["level"] for level in found["levels"]] == ["1", "2", "3", "4", "5"]
    assert found["levels"][3]["name"] == "Terpadu dan Terukur"
    assert [one["id"] for one in found["levels"][3]["criteria"]] == ["4a", "4b"]
    assert all(one["name"] and one["name_en"] for one in found["levels"][3]["documents"])
    assert "direviu" not in run(*arguments, "--lang", "en").stdout
    assert "The document is reviewed and evaluated" in run(*arguments, "--lang", "en").stdout
    assert "Dokumen ditinjau dan dievaluasi secara berkala" in run(*arguments, "--lang", "id").stdout
    assert run(*arguments, "--lang", "fr").exit_code == 2
    unknown = run(*arguments[:-1], "48")
    assert (unknown.exit_code, unknown.stderr) == (1, "spbe-59-2020 has no indicator 48\n")
    unwritten = run("instrument", "show", "spbe-5-2018", "--indicator", "1")
    assert (unwritten.exit_code, "nobody has written" in unwritten.stderr) == (1, True)


def test_guidance_lies_beside_an_instruments_file_and_is_linted_with_it(tmp_path: Path) -> None:
    (tmp_path / "two.yaml").write_text(
        "{id: two, version: 1, title: T, source: S, scale: {kind: ordinal, min: 0, max: 1}, aggregation: mean,"
        " nodes: [{kind: item, number: A, name: Alpha}, {kind: item, number: B, name: Beta}]}"
    )
    level = "{level: %d, criteria: [{id: c%d, text: Ada {what}, text_en: There is {what}}]}"
    levels = ", ".join(
        level.replace("Ada {what}", "'Ada {what}'").replace("There is {what}", "'There is {what}'") % (n, n)
        for n in range(2)
    )
    pattern = (
        f"{{id: p, title: J, title_en: T, help: B, help_en: H, source: S, certainty: inferred, levels: [{levels}]}}"
    )
    term = "{name: what, text: itu, text_en: it}"
    indicator = "{indicator: %s, pattern: p, terms: [" + term + "]}"
    beside = tmp_path / "guidance_two.yaml"
    whole = "{instrument: two, version: 1, revision: 1, source: S, patterns: [%s], indicators: [%s]}"
    beside.write_text(whole % (pattern, f"{indicator % 'A'}, {indicator % 'B'}"))
    assert run("instrument", "lint", beside).stdout.endswith("guidance_two.yaml: no faults\n")
    shown = run("instrument", "show", tmp_path / "two.yaml", "--indicator", "B", "--lang", "en")
    assert "There is it" in shown.stdout
    beside.write_text(whole % (pattern, indicator % "A"))
    faulty = run("instrument", "lint", beside)
    assert (faulty.exit_code, "indicators: indicator B is missing" in faulty.stderr) == (1, True)
