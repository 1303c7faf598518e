"""Files that are damaged in any way: faults are named, each in a file that there is, and nothing fails."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from directory import official_regions
from instruments import instrument_files
from programs.files.definition import PROGRAMS, check_cohort, check_roster, holds_roster, load_definition

NAMES = ("study-visit.yaml", "cohorts/study-visit.yaml", "cohorts/study-visit-roster.yaml")
PIECES = ["", "\t", "- ", ": ", "[", "}", '"', "\x00", "é", "\n", "{a: b}", "&x ", "*x", "2027-02-29", "!!binary ", "?"]
SLOW = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@SLOW
@given(damaged=st.sampled_from(NAMES), at=st.floats(0, 1), cut=st.integers(0, 60), piece=st.sampled_from(PIECES))
def test_damaged_files_have_faults_and_lines(tmp_path: Path, damaged: str, at: float, cut: int, piece: str) -> None:
    (tmp_path / "cohorts").mkdir(exist_ok=True)
    texts = {name: (PROGRAMS / name).read_text() for name in NAMES}
    place = int(at * len(texts[damaged]))
    texts[damaged] = texts[damaged][:place] + piece + texts[damaged][place + cut :]
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    found = check_cohort(tmp_path / "cohorts" / "study-visit.yaml", official_regions(), instrument_files()).faults
    for fault in found:
        assert Path(fault.file).name in {Path(name).name for name in NAMES}
        assert 0 <= fault.fault.line <= max(text.count("\n") + 2 for text in texts.values())
    load_definition(tmp_path / "study-visit.yaml", official_regions(), instrument_files())
    check_roster(tmp_path / "cohorts" / "study-visit-roster.yaml", official_regions())


@SLOW
@given(content=st.binary(max_size=300))
@pytest.mark.parametrize("name", ["x.yaml", "x.csv"])
def test_any_bytes_are_answered(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    holds_roster(path)
    assert check_cohort(path, official_regions()).faults
    check_roster(path, official_regions())


@SLOW
@given(lines=st.lists(st.lists(st.sampled_from(["32.11", "head", "", '"', "a@b.example", "x,y", "id"]), max_size=7)))
def test_any_table_is_answered_line_by_line(tmp_path: Path, lines: list[list[str]]) -> None:
    path = tmp_path / "r.csv"
    path.write_text("institution,role,name,email,language\n" + "\n".join(",".join(line) for line in lines))
    roster, faults = check_roster(path, official_regions())
    assert all(fault.fault.line <= len(lines) + 1 for fault in faults)
    assert roster.participants or faults
