"""`livinglab score` and `livinglab instrument`: what programs read, what people are told, and the exit codes."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from chassis.tables.lines import CURE
from cli.main import whole
from cli.speak.levels import LARGEST_FILE

DATA = Path(__file__).parents[2] / "data"
Write = Callable[[str | bytes], Path]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(whole(), [str(argument) for argument in arguments])


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_levels(content: str | bytes) -> Path:
        path = tmp_path / "levels"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write_levels


def denpasar() -> Any:
    return json.loads((DATA / "published_denpasar_2018.json").read_text("utf-8"))


HEADER = "line 1: the header must be `indicator,level[,explanation]`"
NO_TEXT = f"is not UTF-8 text: {CURE}"


def as_csv(levels: Mapping[str, object], separator: str = ",", end: str = "\n") -> str:
    rows = [("indicator", "level"), *levels.items()]
    return "".join(f"{indicator}{separator}{level}{end}" for indicator, level in rows)


def scored(path: Path, instrument: str = "spbe-5-2018") -> Any:
    result = run("score", "--instrument", instrument, path, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    return json.loads(result.stdout)


def refused(path: Path, instrument: str = "spbe-5-2018") -> list[str]:
    """The lines on standard error, without the file's name."""
    result = run("score", "--instrument", instrument, path, "--json")
    assert (result.exit_code, result.stdout) == (1, "")
    lines = result.stderr.splitlines()
    assert all(line.startswith(f"{path}: ") for line in lines)
    return [line.removeprefix(f"{path}: ") for line in lines]


def without(levels: dict[str, int], *indicators: str) -> dict[str, object]:
    return {indicator: level for indicator, level in levels.items() if indicator not in indicators}


def test_the_published_evaluation_is_scored_from_csv(write: Write) -> None:
    case = denpasar()
    assert scored(write(as_csv(case["external"]))) == {
        "index": "2.64",
        "predicate": "Baik",
        "aspects": case["published"]["aspects"],
        "domains": case["published"]["domains"],
        "awaiting": [],
    }


def test_csv_and_json_say_the_same(write: Write) -> None:
    levels = denpasar()["external"]
    from_csv = scored(write(as_csv(levels)))
    assert scored(write(json.dumps(levels))) == from_csv
    assert scored(write(json.dumps({item: str(level) for item, level in levels.items()}, indent=1))) == from_csv


def test_a_file_of_a_spreadsheet_is_taken_as_it_is_written(write: Write) -> None:
    expected = scored(write(as_csv(denpasar()["external"])))
    windows = as_csv(denpasar()["external"], separator=";", end=";;\r\n") + ";;;\r\n"
    assert scored(write("\ufeff" + windows)) == expected
    assert (
        scored(write(as_csv({f" {key} ": f'"{level}"' for key, level in denpasar()["external"].items()}))) == expected
    )


@pytest.mark.parametrize(("separator", "level"), [(";", "3,5"), (",", '"3,5"'), (",", "3.50"), (";", "3.5")])
def test_a_decimal_comma_is_a_decimal_point(write: Write, separator: str, level: str) -> None:
    found = scored(write(as_csv(dict.fromkeys(map(str, range(1, 21)), level), separator)), "pemdi-8-2026")
    assert (found["index"], found["predicate"]) == ("3.50", "Sangat Baik")


def test_awaited_values_are_listed_and_domains_stay_empty_where_there_are_none(write: Write) -> None:
    levels = without(dict.fromkeys(map(str, range(1, 21)), 2), "5", "6", "7", "18")
    found = scored(write(json.dumps({**levels, "1": 2.25})), "pemdi-8-2026")
    assert found["awaiting"] == ["5", "6", "7", "18"]
    assert found["domains"] == {}
    assert found["aspects"]["1"] == "2.13"


def test_an_empty_level_is_one_that_was_not_given(write: Write) -> None:
    levels = dict.fromkeys(map(str, range(1, 21)), "2")
    assert scored(write(as_csv(levels | {"5": "", "6": " "})), "pemdi-8-2026")["awaiting"] == ["5", "6"]
    assert refused(write(as_csv(levels | {"1": ""})), "pemdi-8-2026") == ["no level for indicator 1"]


def test_an_instrument_file_serves_as_well_as_an_official_one(write: Write) -> None:
    path = DATA / "instruments" / "five-criteria.yaml"
    levels = dict.fromkeys(map(str, range(1, 87)), 1)
    found = scored(write(json.dumps(levels)), str(path))
    assert found["index"] == "1.00"
    assert found["criteria"] == dict.fromkeys("12345", "1.00")


def test_people_get_a_table(write: Write) -> None:
    result = run("score", "--instrument", "spbe-5-2018", write(as_csv(denpasar()["external"])))
    assert result.exit_code == 0
    assert "2.64" in result.stdout
    assert "Predicate: Baik" in result.stdout


@pytest.mark.parametrize(
    ("content", "faults"),
    [
        ("", [HEADER.replace("the header", "is empty: the header")]),
        ("indicator,lvl\n", [HEADER + ": level is missing (is it 'lvl'?)"]),
        ("1,3\n2,3\n", [HEADER + ": indicator is missing, level is missing"]),
        (b"indicator,level\n1,\xff\n", ["line 2: " + NO_TEXT]),
        ("[1, 2]", ['line 1: must be one object: {"1": 3, "2": 4}']),
        ("{\n 1: 2}", ["line 2: is not JSON: Expecting property name enclosed in double quotes"]),
        ("[" * 100000, ["line 1: is not JSON: nested too deep"]),
        ('indicator,level\n1,"3\n', ["line 2: is not CSV: unexpected end of data"]),
    ],
)
def test_a_file_that_cannot_be_understood_is_refused_in_one_line(
    write: Write, content: str | bytes, faults: list[str]
) -> None:
    assert refused(write(content)) == faults


def test_every_fault_of_a_csv_file_is_named_with_its_line(write: Write) -> None:
    levels = without(denpasar()["external"], "4", "5")
    rows = as_csv(levels) + "1,2\n48,3\n35-x,1\n,4\n4,9\n5,2.5,\n5,3,1\n"
    assert refused(write(rows)) == [
        "line 37: indicator 1 was given before, in line 2",
        "line 38: indicator 48: is no indicator of this instrument",
        "line 39: indicator 35-x: is no indicator of this instrument",
        "line 40: names no indicator",
        "line 41: indicator 4: 9 is outside the scale, 0 to 5",
        "line 42: indicator 5: 2.5 is not a whole level",
        "line 43: has 3 columns, not 2 (write a decimal comma in quotes, or separate with ;)",
    ]


def test_every_fault_of_a_json_file_is_named_with_its_line(write: Write) -> None:
    levels = json.dumps(without(denpasar()["external"], "4", "5", "6"), indent=1)
    content = levels.rstrip("\n}") + ',\n "1": 2,\n "4": [3],\n "5": true,\n "6": "three"\n}\n'
    assert refused(write(content)) == [
        "line 36: indicator 1 was given before, in line 2",
        "line 37: indicator 4: the level must be a number",
        "line 38: indicator 5: the level must be a number",
        "line 39: indicator 6: 'three' is not a decimal number",
    ]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400", "1e999999999", "2.1234567"])
def test_a_number_that_is_no_level_is_refused(write: Write, number: str) -> None:
    content = json.dumps(denpasar()["external"]).replace('"7": 3', f'"7": {number}')
    [fault] = refused(write(content))
    assert fault.startswith("line 1: indicator 7: ")


def test_an_unknown_indicator_is_named_even_without_a_level(write: Write) -> None:
    content = as_csv(denpasar()["external"]) + "36,\n\0\0\n"
    assert refused(write(content)) == [
        "line 39: indicator 36: is no indicator of this instrument",
        "line 40: indicator   : is no indicator of this instrument",
    ]


def test_a_number_with_too_many_digits_is_called_that_and_not_repeated_whole(write: Write) -> None:
    content = json.dumps(denpasar()["external"]).replace('"7": 3', f'"7": 2.{"0" * 5000}3')
    [fault] = refused(write(content))
    assert fault.endswith("has more digits than are taken: 12 before and 6 after the point")
    assert len(fault) < 150


def test_missing_indicators_are_named(write: Write) -> None:
    assert refused(write(as_csv(without(denpasar()["external"], "7", "35")))) == ["no level for indicator 7, 35"]


def test_a_file_that_is_too_large_is_not_read(write: Write) -> None:
    assert refused(write("indicator,level\n" + "1,1\n" * LARGEST_FILE)) == [f"has more than {LARGEST_FILE} bytes"]


def test_a_file_of_nothing_but_faults_ends_in_a_count(write: Write) -> None:
    lines = refused(write("indicator,level\n" + "x,1\n" * 1000))
    assert len(lines) == 201
    assert lines[-1].startswith("and ")


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path) == ["cannot be read: Is a directory"]
    assert refused(tmp_path / "none") == ["cannot be read: No such file or directory"]


def test_what_a_file_says_cannot_steer_the_terminal(write: Write) -> None:
    [fault, _] = refused(write("indicator,level\n\x1b[31mred,1\n"))
    assert fault == "line 2: indicator  [31mred: is no indicator of this instrument"


def test_an_unknown_instrument_is_refused_with_those_that_exist(write: Write) -> None:
    result = run("score", "--instrument", "spbe", write("{}"))
    assert result.exit_code == 1
    assert result.stderr == (
        "there is no instrument 'spbe', only pemdi-8-2026, spbe-5-2018, spbe-59-2020; or name a file\n"
    )


@pytest.mark.parametrize(
    "arguments", [["score"], ["score", "x"], ["score", "--instrument"], ["scores"], ["instrument", "show"], []]
)
def test_wrong_usage_ends_with_2(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


def test_the_instruments_are_listed() -> None:
    found = json.loads(run("instrument", "list", "--json").stdout)
    assert [(one["id"], one["indicators"]) for one in found] == [
        ("pemdi-8-2026", 20),
        ("spbe-5-2018", 35),
        ("spbe-59-2020", 47),
    ]
    assert "2021-2025" in run("instrument", "list").stdout


def test_an_instrument_is_shown_with_its_weights() -> None:
    found = json.loads(run("instrument", "show", "spbe-59-2020", "--json").stdout)
    assert found["nodes"][3]["weight"] == "45.5"
    shown = run("instrument", "show", "spbe-59-2020").stdout
    assert "Layanan SPBE" in shown
    assert "Baik from 2.6" in shown
    assert "Caveat: " in shown


def test_lint_is_content_with_a_sound_file() -> None:
    path = DATA / "instruments" / "four-components.yaml"
    assert run("instrument", "lint", path).exit_code == 0
    assert json.loads(run("instrument", "lint", path, "--json").stdout) == {"faults": []}
    uneven = DATA / "instruments" / "five-criteria.yaml"
    [note] = json.loads(run("instrument", "lint", uneven, "--json").stdout)["notes"]
    assert note.startswith("the index is the mean of all 86 items below")


def test_lint_names_each_fault_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "faulty.yaml"
    sound = (DATA / "instruments" / "four-components.yaml").read_text("utf-8")
    path.write_text(sound.replace("max: 1}", "max: 0}").replace("label: C", "label: D"), "utf-8")
    result = run("instrument", "lint", path)
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        f"{path}: line 6: scale.max: 0 is not above min, 0",
        f"{path}: line 9: predicates[1].label: 'D' was used before",
    ]
    result = run("instrument", "lint", path, "--json")
    assert result.exit_code == 1
    assert [fault["line"] for fault in json.loads(result.stdout)["faults"]] == [6, 9]


def test_a_faulty_instrument_scores_nothing(tmp_path: Path, write: Write) -> None:
    path = tmp_path / "faulty.yaml"
    path.write_text("id: x\n", "utf-8")
    result = run("score", "--instrument", path, write("{}"))
    assert result.exit_code == 1
    assert f"{path}: line 1: nodes: is missing" in result.stderr


def test_scoring_loads_no_server_library(write: Write) -> None:
    code = (
        "import sys; from cli.main import main\n"
        "try: main()\n"
        "except SystemExit as end: assert end.code == 0\n"
        "loaded = {'grpc', 'temporalio', 'pymongo', 'motor', 'nats'} & set(sys.modules)\n"
        "assert not loaded, loaded"
    )
    path = write(as_csv(denpasar()["external"]))
    command = [sys.executable, "-c", code, "score", "--instrument", "spbe-5-2018", str(path), "--json"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert json.loads(ended.stdout)["index"] == "2.64"
