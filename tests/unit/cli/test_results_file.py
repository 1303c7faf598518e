"""Files of earlier results: what is read, what is named by its line, and what broken or hostile files come to."""

import io
import tracemalloc
import zipfile
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from livinglab.assessment.v1 import results_service_pb2 as pb
from openpyxl import Workbook

from chassis import validation
from chassis.tables import lines
from chassis.tables.lines import LONGEST_LINE
from cli.assessment.results_file import rows_of

INDEX = "institution,instrument,period,stage,index\n"
ROW = "32.11,spbe-59-2020,2022,publication,3.84\n"


def read(content: str | bytes) -> list[pb.ImportRow]:
    return list(rows_of(io.BytesIO(content.encode() if isinstance(content, str) else content)))


def faults(content: str | bytes) -> list[tuple[int, str]]:
    return [(row.line, row.unreadable) for row in read(content) if row.unreadable]


def workbook(rows: Iterable[Iterable[object]]) -> bytes:
    book, buffer = Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(list(row))
    book.save(buffer)
    return buffer.getvalue()


def repacked(content: bytes, **replaced: bytes) -> bytes:
    """A workbook with some parts replaced; `sheet` is its first sheet, `texts` one of those that are read whole."""
    names = {"sheet": "xl/worksheets/sheet1.xml", "texts": "xl/styles.xml"}
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.namelist():
            part = next((value for key, value in replaced.items() if names[key] == member), None)
            new.writestr(member, old.read(member) if part is None else part)
    return buffer.getvalue()


def test_both_forms_are_read_with_the_line_of_each_row() -> None:
    (row,) = read(INDEX + "\n" + ROW)
    assert (row.line, row.institution, row.period, row.stage, row.value) == (3, "32.11", "2022", "publication", "3.84")
    (row,) = read("institution,instrument,period,stage,indicator,level\n32.11,spbe-59-2020,2022,em,35-2,4\n")
    assert (row.indicator, row.value) == ("35-2", "4")


def test_columns_may_stand_in_any_order_with_indonesian_separators_and_a_byte_order_mark() -> None:
    text = '\ufeffIndex;Stage;Period;Instrument;Institution;\r\n"3,84";em;2022;spbe-59-2020; 32.11 ;\r\n'
    (row,) = read(text)
    assert (row.value, row.institution, row.instrument) == ("3.84", "32.11", "spbe-59-2020")


def test_a_workbook_reads_as_the_same_rows() -> None:
    header = INDEX.strip().split(",")
    content = workbook(
        [header, ["32.11", "spbe-59-2020", 2022, "em", 3.84], [], [32.1, "spbe-59-2020", "2022", "em", 3]]
    )
    first, second = read(content)
    assert (first.institution, first.period, first.value) == ("32.11", "2022", "3.84")
    # A spreadsheet drops the last digit of the code 32.10.
    assert (second.line, second.institution, second.value) == (4, "32.10", "3")


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        ("", 1, "is empty"),
        ("institution,index\n", 1, "the header must be"),
        ("institution,instrument,period,stage,index,index\n", 1, "the header must be"),
        (INDEX + ROW + "32.04,spbe-59-2020,2022,em,2,64\n", 3, "has 6 columns, not 5"),
        (INDEX.encode() + b"32.11,\xff\xfe,2022,em,3\n", 2, "is not UTF-8 text"),
        ((INDEX + ROW).encode("utf-16"), 1, "is not UTF-8 text"),
        (INDEX + '32.11,"spbe"x,2022,em,3\n', 2, "is not CSV"),
        (INDEX + '32.11,"spbe\n', 2, "is not CSV"),
        (INDEX + "x" * (LONGEST_LINE + 1), 2, "has more than 65536 bytes"),
        (INDEX + "x" * 300 + ",spbe,2022,em,3\n", 2, "has a cell of more than 200 characters"),
        (
            "institution,instrument,period,stage,indicator,level\n32.11,spbe-59-2020,2022,em,,4\n",
            2,
            "names no indicator",
        ),
        (b"PK\x03\x04" + b"\0" * 100, 1, "is not a readable XLSX"),
        (workbook([["institution"]])[:-200], 1, "is not a readable XLSX"),
        (repacked(workbook([[1]]), sheet=b"<worksheet><sheetData><row r='x'>"), 1, "is not a readable XLSX"),
    ],
)
def test_what_cannot_be_read_is_named_by_its_line(content: str | bytes, line: int, reason: str) -> None:
    found = faults(content)
    assert [at for at, _ in found] == [line]
    assert reason in found[0][1]


def test_rows_after_a_bad_one_are_read_on() -> None:
    rows = read(INDEX.encode() + b"\xff,a,2022,em,3\n" + b'32.11,"a"b,2022,em,3\n' + ROW.encode())
    assert [(row.line, bool(row.unreadable)) for row in rows] == [(2, True), (3, True), (4, False)]


def test_an_archive_that_unpacks_to_more_than_the_limit_is_refused_unopened() -> None:
    bomb = repacked(workbook([[1]]), sheet=b" " * (65 * 2**20))
    assert len(bomb) < 200_000
    tracemalloc.start()
    assert "unpacks to" in faults(bomb)[0][1]
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 8 * 2**20
    texts = repacked(workbook([["text"]]), texts=b" " * (17 * 2**20))
    assert "bytes of texts" in faults(texts)[0][1]


def test_a_row_far_down_or_far_to_the_right_costs_no_more_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "LAST_LINE", 1_000)
    start = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
    far = start + b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData></worksheet>'
    assert faults(repacked(workbook([[1]]), sheet=far)) == [(1001, "is too far: a sheet has at most 1000 lines")]
    assert faults(INDEX + ROW * 1_000)[0] == (1001, "is too far: a file has at most 1000 lines and 67108864 bytes")


def test_a_workbook_of_entities_is_refused() -> None:
    laughs = b"".join(b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 12))
    sheet = b'<!DOCTYPE x [<!ENTITY a0 "ha">' + laughs + b"]><worksheet><sheetData><row><c><v>&a11;</v></c></row>"
    assert "is not a readable XLSX" in faults(repacked(workbook([[1]]), sheet=sheet))[0][1]


CELLS = st.one_of(
    st.text(max_size=20), st.sampled_from(["32.11", "spbe-59-2020", "2022", "em", "3", '"', ",", ";", "\n"])
)
SOUND = workbook([INDEX.strip().split(","), ROW.strip().split(",")])


@st.composite
def spoiled(draw: st.DrawFn, content: bytes = SOUND) -> bytes:
    """A workbook with some bytes changed or cut off."""
    changed = bytearray(content)
    for _ in range(draw(st.integers(1, 8))):
        changed[draw(st.integers(0, len(changed) - 1))] = draw(st.integers(0, 255))
    return b"PK\x03\x04" + bytes(changed[4 : draw(st.integers(5, len(changed)))])


@st.composite
def sheets(draw: st.DrawFn) -> bytes:
    """A workbook whose sheet is nearly XML."""
    parts = [
        "<row>",
        "</row>",
        '<row r="2">',
        "<c>",
        "</c>",
        '<c t="s">',
        '<c t="e" r="ZZZZ9">',
        '<c t="d">',
        "<v>",
        "</v>",
        "1",
        "-1",
        "1e999",
        "x",
        "<f/>",
    ]
    middle = "".join(draw(st.lists(st.sampled_from(parts), max_size=30)))
    start = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
    return repacked(SOUND, sheet=f"{start}{middle}</sheetData></worksheet>".encode())


@settings(max_examples=300, deadline=None, database=None)
@given(
    st.one_of(
        st.binary(max_size=2_000),
        st.binary(max_size=500).map(lambda data: INDEX.encode() + data),
        st.lists(st.lists(CELLS, max_size=7), max_size=8).map(
            lambda rows: (INDEX + "\n".join(map(",".join, rows))).encode("utf-8", "surrogatepass")
        ),
        spoiled(),
        sheets(),
    )
)
def test_no_file_is_answered_by_anything_but_rows_that_the_service_takes(content: bytes) -> None:
    rows = read(content)
    assert rows or content
    for row in rows:
        assert row.line >= 1
        assert validation.violations(row) == []
