"""Tables: whatever spreadsheets write is read as a person meant it, and what goes out comes back unchanged."""

import io
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook, load_workbook

from chassis import tables
from chassis.tables import Column, Form, Sheet, Table

PEOPLE = Form(
    (
        Column("institution", ("instansi", "kode")),
        Column("people", ("penduduk", "jumlah penduduk"), tables.whole, number=True),
        Column("index", ("indeks",), tables.number, optional=True, number=True),
        Column("remark", ("catatan",), optional=True, longest=4_000),
    )
)


def read(content: str | bytes, *forms: Form) -> tuple[list[tables.Row], Table]:
    table = Table(io.BytesIO(content.encode() if isinstance(content, str) else content), *(forms or (PEOPLE,)))
    return list(table), table


def cells(content: str | bytes) -> list[dict[str, str]]:
    rows, _ = read(content)
    assert not [row.fault for row in rows if row.fault]
    return [row.cells for row in rows]


def faults(content: str | bytes) -> list[tuple[int, str]]:
    return [(row.line, row.fault) for row in read(content)[0] if row.fault]


def workbook(rows: Iterable[Iterable[object]], layout: str = "") -> bytes:
    book, buffer = Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(list(row))
    if layout:
        for line in book.active.iter_rows():
            for cell in line:
                cell.number_format = layout
    book.save(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        "institution,people\nA,5\n",
        "\ufeffinstitution,people\nA,5\n",
        "\r\n\r\ninstitution;people\r\nA;5\r\n",
        "sep=;\ninstitution;people\nA;5\n",
        '"sep=|"\ninstitution|people\nA|5\n',
        "sep=\t\ninstitution\tpeople\nA\t5\n",
        "INSTITUTION,People\nA,5\n",
        "Instansi;Jumlah_Penduduk\nA;5\n",
        "people,institution\n5,A\n",
        "institution,people,,,\nA,5,,,\n\n,,,\n",
        "institution, people \n\u00a0A\u00a0,\u202f5\n",
        '="institution",="people"\n="A",="5"\n',
    ],
)
def test_a_table_is_the_same_however_it_is_written(content: str) -> None:
    assert [{k: row[k] for k in ("institution", "people")} for row in cells(content)] == [
        {"institution": "A", "people": "5"}
    ]


def test_columns_that_are_not_read_are_named() -> None:
    _, table = read("No,institution,Provinsi,people,\n1,A,Jabar,5,\n")
    assert (table.ignored, table.columns) == (["No", "Provinsi"], ["institution", "people"])


def test_of_two_names_of_a_column_the_likelier_is_read() -> None:
    rows, table = read("kode,instansi,people\n32,Jawa Barat,5\n")
    assert (rows[0].cells["institution"], table.ignored) == ("Jawa Barat", ["kode"])


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        ("", 1, "is empty: the header must be `institution,people[,index][,remark]`"),
        ("\n\ninstitution\nA\n", 3, "people is missing"),
        ("institution,peeple\nA,5\n", 1, "people is missing (is it 'peeple'?)"),
        ("institution,people,people\nA,5,5\n", 1, "the column people stands twice"),
        ("institution,people\nA,5,6\n", 2, "has 3 columns, not 2"),
        ("institution,people\n" + "A" * 201 + ",5\n", 2, "more than 200 characters"),
        ("institution,people\nA,1.31E+06\n", 2, "people '1.31E+06' was shortened by the spreadsheet"),
        (
            "institution,people\nA,5\nKôta".encode("cp1252"),
            3,
            "Windows-1252, as in 'Kôta'): save the file as CSV UTF-8",
        ),
        ("institution,people\n".encode("utf-16"), 1, "UTF-16: save the file as CSV UTF-8"),
    ],
)
def test_what_cannot_be_read_is_told_by_its_line(content: str | bytes, line: int, reason: str) -> None:
    ((at, told),) = faults(content)
    assert (at, reason in told) == (line, True), told


def test_rows_after_a_bad_one_are_read_on() -> None:
    rows, _ = read(b"institution,people\n\xff,1\nB,2,3\nC,4\n")
    assert [(row.line, bool(row.fault)) for row in rows] == [(2, True), (3, True), (4, False)]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("3,84", "3.84"),
        ("3.10", "3.10"),
        ("2.6382978723404253", "2.63829787234043"),
        ("3.3000000000000003", "3.3"),
        ("0.1234567890123456", "0.123456789012346"),
        ("123456789012345678", "123456789012345678"),
        ("\u22120,5", "-0.5"),
        ("1.234,56", "1.234,56"),
        ("three", "three"),
    ],
)
def test_a_number_has_a_point_and_fifteen_significant_digits(written: str, meant: str) -> None:
    assert tables.number(tables.text(written)) == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1305476", "1305476"),
        ("1.305.476", "1305476"),
        ("1,305,476", "1305476"),
        ("534.000", "534000"),
        ("1305476.00", "1305476"),
        ("1305476,0", "1305476"),
        ("1.5", "1.5"),
        ("1.305,476", "1.305,476"),
    ],
)
def test_a_whole_number_may_have_its_thousands_set_apart(written: str, meant: str) -> None:
    assert tables.whole(written) == meant


def test_numbers_of_a_workbook_are_read_as_they_are_shown() -> None:
    header = ["institution", "people", "index"]
    (row,) = cells(workbook([header, [32.1, 1305476, 2.6382978723404253]]))
    assert (row["institution"], row["people"], row["index"]) == ("32.1", "1305476", "2.63829787234043")
    (row,) = cells(workbook([header, [32.1, 1305476.0, 1.1 + 2.2]], "0.00"))
    assert (row["institution"], row["people"], row["index"]) == ("32.10", "1305476", "3.30")


def test_a_formula_that_was_never_calculated_is_told_as_that() -> None:
    rows, _ = read(workbook([["institution", "people", "index"], ["A", 5, "=AVERAGE(3.8,3.88)"], ["B", 5, 3]]))
    assert "index is a formula that was never calculated (=AVERAGE(3.8,3.88))" in rows[0].fault
    assert (rows[1].line, rows[1].cells["index"]) == (3, "3")


def test_dates_and_errors_of_a_workbook_are_told() -> None:
    from datetime import datetime

    found = faults(
        workbook([["institution", "people", "index"], ["A", 5, datetime(2022, 1, 1)], ["A", "#DIV/0!", 3]])  # noqa: DTZ001
    )
    assert "index is a date or time for the spreadsheet (2022-01-01 00:00:00)" in found[0][1]
    assert "people has the error #DIV/0!" in found[1][1]


# Texts as people write them: in the one form that blanks and ends of lines have after reading.
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30).map(tables.text) | st.sampled_from(
    ["=1+1", "'=1", "''+x", "-5", "'-5", "@x", "+62 811", '="x"', "32.10", "5.10", "007", "a\nb", 'say "x"', "_x0041_"]
)
NUMBERS = st.decimals(-1000, 10**9, places=2).map(str) | st.sampled_from(["3.10", "0.00", "5", "0.91425", ""])


@st.composite
def tables_of_texts_and_numbers(draw: st.DrawFn) -> list[list[str]]:
    rows = draw(st.lists(st.tuples(TEXTS, NUMBERS, TEXTS), max_size=8))
    return [["name", "index", "remark"], *([first or "x", value, last] for first, value, last in rows)]


@settings(max_examples=150, deadline=None, database=None)
@given(tables_of_texts_and_numbers())
def test_what_goes_out_comes_back_unchanged(rows: list[list[str]]) -> None:
    def back(content: bytes) -> list[list[str]]:
        return [row + [""] * (3 - len(row)) for row in tables.plain_rows(io.BytesIO(content))]

    assert back(tables.csv_of(rows).encode("utf-8-sig")) == rows
    assert back(tables.xlsx_of(Sheet("x", rows, {"index"}))) == rows


@settings(max_examples=200, deadline=None, database=None)
@given(TEXTS)
def test_no_text_that_goes_out_is_run(value: str) -> None:
    cell = tables.guarded(value)
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r")) or tables.number(cell) == cell
    sheet = load_workbook(io.BytesIO(tables.xlsx_of(Sheet("x", [["h"], [value]])))).active
    assert sheet["A2"].data_type in ("s", "n")
    assert sheet["A2"].value == (cell or None)


def test_codes_are_text_cells_and_indices_keep_their_zeros() -> None:
    rows = [["code", "index"], ["32.10", "3.10"]]
    sheet = load_workbook(io.BytesIO(tables.xlsx_of(Sheet("x", rows, {"index"})))).active
    assert (sheet["A2"].value, sheet["A2"].data_type) == ("32.10", "s")
    assert (float(sheet["B2"].value), sheet["B2"].data_type, sheet["B2"].number_format) == (3.1, "n", "0.00")
