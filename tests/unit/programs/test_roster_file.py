"""Rosters as files: CSV of any spreadsheet and YAML by region code, each fault at its line, beside rules that break."""

import codecs
from pathlib import Path

import pytest

from directory import official_regions
from programs.files import roster as roster_file
from programs.files.definition import check_cohort, check_roster

COHORT = """\
id: c
title: C
definition: living-lab-2022
rehearsal: true
seconds_per_day: "1"
"""
PEOPLE = [
    ("secretary", "Sekda", "sekda@a.example"),
    ("head", "Kadis", "kadis@a.example"),
    ("operator", "Operator", "op@a.example"),
    ("regent", "Bupati", "bupati@a.example"),
]
YAML = '"32.11":\n' + "".join(f"  - {{role: {r}, name: {n}, email: {e}}}\n" for r, n, e in PEOPLE)


def table(separator: str = ",", end: str = "\n") -> str:
    rows = [roster_file.COLUMNS, *(("32.11", *person, "") for person in PEOPLE)]
    return end.join(separator.join(row) for row in rows) + end


def faults(folder: Path, name: str, roster: str | bytes, cohort: str = COHORT) -> list[str]:
    (folder / "c.yaml").write_text(f"{cohort}roster_file: {name}\n")
    (folder / name).write_bytes(roster if isinstance(roster, bytes) else roster.encode())
    return [str(fault) for fault in check_cohort(folder / "c.yaml", official_regions()).faults]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_table_of_any_spreadsheet_is_taken(tmp_path: Path, separator: str, end: str) -> None:
    assert faults(tmp_path, "r.csv", table(separator, end)) == []
    assert faults(tmp_path, "r.csv", codecs.BOM_UTF8 + table(separator, end).encode()) == []


@pytest.mark.parametrize(
    "text",
    [YAML, "roster:\n  - institution: 32.11\n    people:\n" + YAML.partition("\n")[2].replace("  - ", "      - ")],
    ids=["by code", "as in a cohort"],
)
def test_a_roster_as_yaml_is_the_same_as_one_as_csv(text: str) -> None:
    from_yaml, from_csv = roster_file.parse(text, "r.yaml"), roster_file.parse(table(), "r.csv")
    assert from_yaml.faults == from_csv.faults == []
    assert from_yaml.participants == from_csv.participants


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["r.yaml: is empty"]),
        (YAML.replace("role: head", "role: hed"), ["r.yaml: line 3: roster[0].people[1].role: 'hed' is none of"]),
        (YAML.replace("name: Kadis", "nam: Kadis"), ["r.yaml: line 3: roster[0].people[1].nam: is not known here"]),
        (YAML + YAML, ["r.yaml: line 6: 32.11 stands already at line 1"]),
        (YAML + "title: x\n", ["r.yaml: line 6: roster[1].people: must be a list"]),
        (YAML.replace("op@a.example", "op"), ["r.yaml: line 4: 'op' is not an e-mail address"]),
        (YAML.replace("32.11", "32.99"), ["r.yaml: line 1: '32.99' is not a known institution"]),
        ("roster: []\nid: x\n", ["r.yaml: line 2: must not stand beside roster"]),
        ("32.11:\n\t- a\n", ["r.yaml: line 2: is not YAML: a tab stands where only spaces may"]),
    ],
)
def test_a_fault_of_yaml_is_told_at_its_line(tmp_path: Path, text: str, expected: list[str]) -> None:
    found = faults(tmp_path, "r.yaml", text)
    assert len(found) == len(expected), found
    for fault, words in zip(found, expected, strict=True):
        assert fault.startswith(words), found


def test_every_line_is_reported_whatever_is_wrong_with_it(tmp_path: Path) -> None:
    lines = table().splitlines()
    lines[2] = lines[2].replace("head", "chief")
    lines += ["99.99,head,Kadis,kadis@b.example,id", "32.12,head", "32.73,head,,x,id"]
    found = faults(tmp_path, "r.csv", "\n".join(lines))
    assert [fault for fault in found if "has no" not in fault] == [
        "r.csv: line 3: role 'chief' is none of operator, head, secretary, regent",
        "r.csv: line 6: '99.99' is not a known institution",
        "r.csv: line 7: email is missing",
        "r.csv: line 7: name is missing",
        "r.csv: line 8: name is missing",
    ]
    # What could not be read is not told again as missing.
    assert not any("32.11 has no head" in fault for fault in found)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (table().encode("utf-16"), "r.csv: line 1: is not UTF-8 text but UTF-16: save the file as CSV UTF-8"),
        (
            table().replace("Sekda", "Sékda").encode("latin-1"),
            "r.csv: line 2: is not UTF-8 text (Windows-1252, as in 'Sékda'): save the file as CSV",
        ),
        (b"x" * (8 * 2**20 + 1), "c.yaml: line 6: roster_file: r.csv has more than 8388608 bytes"),
    ],
)
def test_a_file_that_is_no_text_says_why_and_where_it_was_named(tmp_path: Path, content: bytes, expected: str) -> None:
    [fault] = faults(tmp_path, "r.csv", content)
    assert fault.startswith(expected)


def test_faults_of_the_cohort_and_of_its_roster_are_told_together(tmp_path: Path) -> None:
    found = faults(tmp_path, "r.csv", table().replace("op@a.example", "op"), COHORT.replace('"1"', "fast"))
    assert [fault.rpartition(": ")[0] for fault in found] == ["c.yaml: line 5: seconds_per_day", "r.csv: line 4"]


def test_a_roster_alone_is_checked_for_what_needs_no_definition(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text(table() + "32.99,head,X,x@x.example,id\n")
    _, found = check_roster(tmp_path / "r.csv", official_regions())
    assert [str(fault) for fault in found] == ["r.csv: line 6: '32.99' is not a known institution"]


def test_a_cohort_may_have_the_name_of_a_definition(tmp_path: Path) -> None:
    (tmp_path / "cohorts").mkdir()
    (tmp_path / "living-lab-2022.yaml").write_text("id: another-cohort\ntitle: x\n")
    assert faults(tmp_path / "cohorts", "r.csv", table()) == []


def test_five_thousand_participants_are_read_and_checked() -> None:
    codes = [f"{10 + i // 100}.{i % 100:02}" for i in range(5_000)]
    lines = YAML.partition("\n")[2]
    roster = roster_file.parse("".join(f'"{code}":\n{lines}' for code in codes), "r.yaml")
    assert (len(roster.participants), roster.faults) == (5_000, [])
    assert roster.lines["roster[4999].people[3].email"] == 25_000


def test_a_roster_that_goes_by_code_may_stand_in_the_cohort_itself(tmp_path: Path) -> None:
    path = tmp_path / "cohort.yaml"
    path.write_text(COHORT + "roster:\n" + "".join(f"  {line}\n" for line in YAML.splitlines()))
    loaded = check_cohort(path, official_regions(), {"spbe-59-2020"})
    assert loaded.faults == []
    [participant] = loaded.cohort.message.roster
    assert (participant.institution, len(participant.people)) == ("32.11", 4)
    path.write_text(path.read_text() + '  "32.11":\n    - {role: head, name: Kepala, email: k@x.example}\n')
    faults = check_cohort(path, official_regions(), {"spbe-59-2020"}).faults
    assert [str(fault) for fault in faults] == ["cohort.yaml: line 12: 32.11 stands already at line 7"]
