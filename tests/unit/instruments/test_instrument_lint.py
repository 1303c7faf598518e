"""Lint names each fault of an instrument file, alone and with its line; the official files have none."""

from pathlib import Path

import pytest
import yaml

from instruments import crosswalk_files, instrument_files
from instruments.file import LARGEST_FILE, InstrumentFaults, lint_content, load
from instruments.lint import Fault, leaves

INVENTED = Path(__file__).parents[2] / "data" / "instruments"

SOUND = """\
id: small-1
version: 1
title: A small instrument
source: written for this test
valid_from: 2020
valid_to: 2024
scale:
  kind: ordinal
  min: 1
  max: 5
level_names:
  - capability: process
    names: [a, b, c, d, e]
predicates:
  - label: Low
    min: 1
  - label: High
    min: 2.5
aggregation: weighted_mean
nodes:
  - kind: domain
    number: 1
    name: First
    weight: 40
    aggregation: mean
    children:
      - kind: indicator
        number: 1
        name: One
        repeatable: true
      - kind: indicator
        number: 2
        name: Two
        capability: process
  - kind: domain
    number: 2
    name: Second
    weight: 60
    aggregation: weighted_mean
    children:
      - kind: indicator
        number: 3
        name: Three
        weight: 20
      - kind: indicator
        number: 4
        name: Four
        weight: 40
caveats: [none]
"""


def planted(old: str, new: str) -> bytes:
    """The sound file with a fault in the first place that has the old text."""
    assert old in SOUND
    return SOUND.replace(old, new, 1).encode()


def test_a_sound_instrument_has_no_faults() -> None:
    assert lint_content(SOUND.encode()) == []


@pytest.mark.parametrize(
    ("old", "new", "place", "reason"),
    [
        ("caveats:", "remarks:", "remarks", "is not known here"),
        ("repeatable: true", "repeat: true", "nodes[0].children[0].repeat", "did you mean repeatable?"),
        ("title: A small instrument", "title:", "title", "has no value"),
        ("title: A small instrument", "title: [A]", "title", "must be a single value"),
        ("version: 1", "version: one", "version", "must be a whole number"),
        ("version: 1", "version: 0", "version", "count from 1"),
        ("id: small-1", "id: small 1", "id", "is not an id"),
        ("valid_to: 2024", "valid_to: 2019", "valid_to", "before valid_from"),
        ("kind: ordinal", "kind: ordnal", "scale.kind", "none of ordinal, decimal, binary"),
        ("max: 5", "max: 1", "scale.max", "not above min"),
        ("max: 5", "max: five", "scale.max", "not a decimal"),
        ("max: 5", "max: 5.5", "scale.max", "not a whole level"),
        ("[a, b, c, d, e]", "[a, b, c, d]", "level_names[0].names", "4 names for a scale of 5"),
        ("[a, b, c, d, e]", "[]", "level_names[0].names", "is missing"),
        ("[a, b, c, d, e]", "many", "level_names[0].names", "must be a list"),
        ("min: 2.5", "min: 1", "predicates[1].min", "no overlap"),
        ("min: 2.5", "min: 5.1", "predicates[1].min", "outside the scale"),
        ("min: 2.5", "min: 2,5", "predicates[1].min", "not a decimal"),
        ("  - label: Low\n    min: 1\n", "  - label: Low\n    min: 1.5\n", "predicates[0].min", "nothing covers"),
        ("label: High", "label: Low", "predicates[1].label", "used before"),
        ("weight: 20", "weight: 21", "nodes[1].children", "sum to 61, not to 60 (domain 2)"),
        ("weight: 20", "weight: 0.1234567", "nodes[1].children[0].weight", "not a decimal"),
        ("weight: 20", "weight: -20", "nodes[1].children[0].weight", "not above 0"),
        ("weight: 20", "weight: '20 '", "nodes[1].children[0].weight", "not a decimal"),
        ("weight: 20", "weight: {a: 1}", "nodes[1].children[0].weight", "must be a single value"),
        ("weight: 40\n    agg", "weight: 41\n    agg", "nodes", "sum to 101, not to 100"),
        ("capability: process\n  - kind", "weight: 5\n  - kind", "nodes[0].children[1].weight", "plain mean"),
        ("number: 4", "number: 3", "nodes[1].children[1].number", "indicator 3 is also nodes[1].children[0]"),
        ("number: 4", "number: 1-2", "nodes[1].children[1].number", "an instance of 1"),
        ("number: 4", "number: 4 a", "nodes[1].children[1].number", "not a number"),
        ("number: 2\n    name: Second", "number: 1\n    name: Second", "nodes[1].number", "domain 1 is also"),
        (
            "capability: process\n  - kind",
            "capability: magic\n  - kind",
            "nodes[0].children[1].capability",
            "no lev",
        ),
        ("repeatable: true", "repeatable: 1", "nodes[0].children[0].repeatable", "must be true or false"),
        ("repeatable: true", "aggregation: mean", "nodes[0].children[0].aggregation", "no children to aggregate"),
        ("aggregation: mean", "aggregation: sum", "nodes[0].aggregation", "none of weighted_mean, mean"),
        ("name: First", "name: First\n    repeatable: true", "nodes[0].repeatable", "for what is scored"),
        (
            "kind: indicator\n        number: 4",
            "kind: aspect\n        number: 4",
            "nodes[1].children[1]",
            "empty",
        ),
        ("kind: domain\n    number: 2", "kind: indicator\n    number: 2", "nodes[1].children", "is scored itself"),
        ("caveats: [none]", "title: Again", "title", "stands here twice, first in line 3"),
        ("caveats: [none]", "caveats: [none]\n1: 2", "1", "is not known here"),
    ],
)
def test_a_planted_fault_is_named_alone(old: str, new: str, place: str, reason: str) -> None:
    content = planted(old, new)
    [fault] = lint_content(content)
    assert fault.place == place
    assert reason in fault.reason
    assert line_named(content, fault)


@pytest.mark.parametrize(
    ("aggregation", "places"),
    [
        ("mean", ["aggregation", "nodes[0].weight", "nodes[1].weight"]),
        ("mean_of_children", ["nodes[0].weight", "nodes[1].weight"]),
    ],
)
def test_a_plain_mean_passes_over_no_weights(aggregation: str, places: list[str]) -> None:
    faults = lint_content(planted("aggregation: weighted_mean\nnodes", f"aggregation: {aggregation}\nnodes"))
    assert [fault.place for fault in faults] == places
    if "aggregation" in places:
        assert "domain 2 is a weighted_mean" in faults[0].reason


def line_named(content: bytes, fault: Fault) -> bool:
    """Whether the fault's line is the one that writes the last field of its place, or begins its item."""
    line = content.decode().splitlines()[fault.line - 1].lstrip()
    if fault.place.endswith("]"):
        return line.startswith("- ")
    return line.removeprefix("- ").startswith(f"{fault.place.rpartition('.')[2]}:")


@pytest.mark.parametrize(
    ("removed", "place", "line"),
    [
        ("id: small-1\n", "id", 1),
        ("title: A small instrument\n", "title", 1),
        ("source: written for this test\n", "source", 1),
        ("version: 1\n", "version", 1),
        ("aggregation: weighted_mean\n", "aggregation", 1),
        ("  kind: ordinal\n", "scale.kind", 7),
        ("  min: 1\n", "scale.min", 7),
        ("        name: Four\n", "nodes[1].children[1].name", 45),
        ("        number: 4\n", "nodes[1].children[1].number", 45),
        ("        weight: 20\n", "nodes[1].children[0].weight", 41),
        ("    aggregation: mean\n", "nodes[0].aggregation", 21),
        ("    min: 2.5\n", "predicates[1].min", 17),
    ],
)
def test_what_is_missing_is_named_at_the_line_around_it(removed: str, place: str, line: int) -> None:
    content = planted(removed, "")
    [fault] = lint_content(content)
    assert (fault.place, fault.line) == (place, line)
    assert "is missing" in fault.reason


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        (b"", 0, "is empty"),
        (b"# only a comment\n", 0, "is empty"),
        (b"just words", 1, "must be a mapping with the keys of Instrument"),
        (b"id: x\n  title: y\n", 2, "is not YAML"),
        (b"id: [\n", 2, "is not YAML"),
        (b"id: x\ntitle: \xff\n", 2, "is not UTF-8"),
        (b"id: x\n---\nid: y\n", 2, "another document"),
        (b"[" * 5000, 0, "nested too deep"),
        (b"#" * (LARGEST_FILE + 1), 0, "more than"),
    ],
)
def test_what_is_no_instrument_at_all_is_one_fault(content: bytes, line: int, reason: str) -> None:
    [fault] = lint_content(content)
    assert (fault.line, fault.place) == (line, "file")
    assert reason in fault.reason


def test_an_alias_is_refused_where_it_stands() -> None:
    anchored = planted("[a, b, c, d, e]", "&a [a, b, c, d, e]").replace(b"caveats: [none]", b"caveats: *a")
    [fault] = lint_content(anchored)
    assert (fault.place, fault.reason) == ("caveats", "anchors and aliases are not taken: write it out")


def test_several_faults_are_all_named_in_the_order_of_their_lines() -> None:
    content = SOUND.replace("max: 5", "max: x").replace("weight: 20", "weight: 25").replace("name: One", "nam: One")
    assert [(fault.line, fault.place) for fault in lint_content(content.encode())] == [
        (10, "scale.max"),
        (27, "nodes[0].children[0].name"),
        (29, "nodes[0].children[0].nam"),
        (40, "nodes[1].children"),
    ]


def test_nesting_has_a_limit() -> None:
    deep = "{kind: item, number: 1, name: a}"
    for n in range(20):
        deep = f"{{kind: group, number: {n}, name: a, aggregation: mean, children: [{deep}]}}"
    head = SOUND.partition("aggregation:")[0]
    faults = lint_content(f"{head}aggregation: mean\nnodes: [{deep}]\n".encode())
    assert any("nested deeper" in fault.reason for fault in faults)


def test_a_file_with_faults_does_not_load() -> None:
    with pytest.raises(InstrumentFaults, match=r"line 10: scale\.max: 1 is not above min") as caught:
        load(SOUND.replace("max: 5", "max: 1").encode())
    assert len(caught.value.faults) == 1


@pytest.mark.parametrize(
    ("name", "groups", "indicators"),
    [("spbe-59-2020", (4, 8), 47), ("spbe-5-2018", (3, 7), 35), ("pemdi-8-2026", (0, 7), 20)],
)
def test_an_official_instrument_is_sound_and_whole(name: str, groups: tuple[int, int], indicators: int) -> None:
    content = instrument_files()[name].read_bytes()
    assert lint_content(content) == []
    instrument = load(content)
    assert instrument.id == name
    written = content.decode()
    assert (written.count("kind: domain"), written.count("kind: aspect")) == groups
    found = [leaf.number for leaf in leaves(list(instrument.nodes))]
    assert found == [str(n) for n in range(1, indicators + 1)]


@pytest.mark.parametrize("name", ["four-components", "five-criteria", "five-levels", "controls"])
def test_an_instrument_of_another_shape_needs_a_file_only(name: str) -> None:
    assert lint_content((INVENTED / f"{name}.yaml").read_bytes()) == []


def test_the_crosswalk_names_indicators_that_both_instruments_have() -> None:
    [((old, new), path)] = crosswalk_files().items()
    crosswalk = yaml.safe_load(path.read_text("utf-8"))
    assert (crosswalk["from"], crosswalk["to"]) == (old, new)
    numbers = {
        name: {leaf.number for leaf in leaves(list(load(instrument_files()[name].read_bytes()).nodes))}
        for name in (old, new)
    }
    assert {str(row["to"]) for row in crosswalk["rows"]} == numbers[new]
    for row in crosswalk["rows"]:
        assert {str(number) for number in row["from"]} <= numbers[old]
        assert (row["status"] == "new") == (not row["from"])
