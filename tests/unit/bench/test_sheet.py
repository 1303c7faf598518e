"""A bench that is interrupted, or of which a part fails, keeps and tells what it had."""

import io
import json
import os
from pathlib import Path

import pytest
from rich.console import Console

from bench.rows import within
from bench.sheet import Sheet

ROW = within("a", "something", 2.0, 3.0, "s")


@pytest.fixture
def out() -> Console:
    return Console(file=io.StringIO(), width=140)


def shown(out: Console) -> str:
    file = out.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_a_row_is_shown_and_kept_as_soon_as_it_is_there(tmp_path: Path, out: Console) -> None:
    sheet = Sheet(tmp_path / "latest.json", out)
    assert json.loads((tmp_path / "latest.json").read_text()) == []
    sheet.add(ROW)
    assert json.loads((tmp_path / "latest.json").read_text()) == [ROW.as_json()]
    assert "something: 2 s (< 3 s: met)" in shown(out)


def test_a_failed_part_is_named_and_its_rows_stand(tmp_path: Path, out: Console) -> None:
    sheet = Sheet(tmp_path / "latest.json", out)
    sheet.add(ROW)
    sheet.fail("course", AssertionError("it stood still"))
    sheet.note_load("course")
    assert "not measured to its end: course (AssertionError: it stood still)" in list(sheet.remarks())
    assert len(json.loads((tmp_path / "latest.json").read_text())) == 1


def test_a_load_above_the_cores_is_told_beside_the_table(
    tmp_path: Path, out: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    sheet = Sheet(tmp_path / "latest.json", out)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(os, "getloadavg", lambda: (1.5, 0, 0))
    sheet.note_load("launch")
    assert list(sheet.remarks()) == []
    monkeypatch.setattr(os, "getloadavg", lambda: (7.25, 0, 0))
    sheet.note_load("course")
    [remark] = sheet.remarks()
    assert "7.2 on 2 cores at the beginning of course" in remark


def test_another_revision_stands_beside(tmp_path: Path, out: Console) -> None:
    sheet = Sheet(tmp_path / "latest.json", out)
    sheet.before = {"a": {"ours": 4.0}}
    sheet.add(ROW)
    out.print(sheet.table())
    assert "-50%" in shown(out)
