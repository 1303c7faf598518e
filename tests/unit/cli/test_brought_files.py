"""Files as people brought them: what each came to, whatever spreadsheet wrote it."""

import io
from pathlib import Path

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from livinglab.assessment.v1 import results_service_pb2 as pb
from openpyxl import Workbook

from chassis import tables
from chassis.tables import Table
from cli.assessment.results_file import EXPORTED, exported, rows_of
from cli.race import settings_files
from cli.speak.codes import as_code
from cli.speak.levels import read_levels
from directory import official_regions
from directory.file import rows_of as institution_rows
from programs.files import roster

HEADER = "institution,instrument,period,stage,index\n"


def results(content: str | bytes) -> list[tuple[str, str, str]]:
    """Institution, index and what is wrong, of each row."""
    rows = rows_of(io.BytesIO(content.encode() if isinstance(content, str) else content))
    return [(row.institution, row.value, row.unreadable) for row in rows]


def workbook(*rows: list[object]) -> bytes:
    book, buffer = Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(buffer)
    return buffer.getvalue()


def test_a_spreadsheet_in_indonesian_writes_codes_and_numbers_with_commas() -> None:
    rows = ["institution;instrument;period;stage;index", "32,11;spbe-59-2020;2022;publication;3,84"]
    rows += ["32,1;spbe-59-2020;2022;publication;2,70", "32;spbe-59-2020;2022;publication;3,01"]
    assert results("\r\n".join(rows)) == [("32.11", "3.84", ""), ("32.10", "2.70", ""), ("32", "3.01", "")]


def test_a_blank_first_line_is_no_header() -> None:
    assert results("\r\ninstitution;instrument;period;stage;index\r\n32.11;spbe-59-2020;2022;publication;3,84\r\n") == [
        ("32.11", "3.84", "")
    ]


def test_averages_of_sixteen_digits_are_taken_to_six_places() -> None:
    header: list[object] = list(HEADER.strip().split(","))
    rows: list[list[object]] = [
        [code, "spbe-59-2020", 2022, "publication", value]
        for code, value in (("32.11", 2.6382978723404253), ("32.12", 1.1 + 2.2), ("32.13", 2.345678))
    ]
    found = results(workbook(header, *rows))
    assert found == [("32.11", "2.638298", ""), ("32.12", "3.3", ""), ("32.13", "2.345678", "")]
    assert results(HEADER + "32.11,spbe-59-2020,2022,publication,2.6382978723404253\n") == [("32.11", "2.638298", "")]


def test_a_formula_that_was_never_calculated_is_called_that() -> None:
    header: list[object] = list(HEADER.strip().split(","))
    formula = "=ROUND(AVERAGE(3.8,3.88),2)"
    found = results(
        workbook(
            header,
            ["32.11", "spbe-59-2020", 2022, "publication", formula],
            ["32.12", "spbe-59-2020", 2022, "publication", 3.1],
        )
    )
    assert found[0][2].startswith(
        f"index is a formula that was never calculated ({formula}): open the file in a spread"
    )
    assert found[1] == ("32.12", "3.1", "")


def test_what_became_of_an_old_code_and_columns_that_are_not_read_are_told() -> None:
    told: list[Table] = []
    content = "No,Kode,Instrumen,Tahun,Tahap,Indeks\n1,91.01,spbe-59-2020,2021,Publikasi,1.90\n"
    (row,) = rows_of(io.BytesIO(content.encode()), told=told.append)
    assert (row.institution, row.period, row.stage, row.value) == ("93.01", "2021", "Publikasi", "1.90")
    assert told[0].ignored == ["No"]
    assert told[0].remarks == {"91.01 is 93.01 Kabupaten Merauke since 2022 (UU 14/2022)": 2}


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("Institution;Role;Name;Email;Language\r\n32.11;head;Kepala;a@sumedang.example;id\r\n", "32.11"),
        ("institution;role;name;email;language\r\n32.1;head;Kepala;a@majalengka.example;id\r\n", "32.10"),
        ("institution;role;name;email;language;;\r\n32.11;head;Kepala;a@sumedang.example;id;;\r\n", "32.11"),
        ("Kode Instansi;Jabatan;Nama;Surel\r\n32,11;Kepala Dinas;Kepala;a@sumedang.example\r\n", "32.11"),
    ],
)
def test_a_roster_is_read_however_its_spreadsheet_wrote_it(content: str, code: str) -> None:
    found = roster.parse(content, "roster.csv")
    assert found.faults == []
    assert [one.institution for one in found.participants] == [code]
    assert [(one.name, one.language) for one in found.participants[0].people] == [("Kepala", "id")]


def test_a_roster_may_be_a_workbook() -> None:
    content = workbook(["institution", "role", "name", "email"], [32.1, "head", "Kepala", "a@majalengka.example"])
    found = roster.parse(content, "roster.xlsx")
    assert ([one.institution for one in found.participants], found.faults) == (["32.10"], [])


def test_levels_come_with_their_explanations() -> None:
    found = read_levels(b"No;Tingkat;Penjelasan\r\n1;3;ada peta\r\n2;4;\r\n")
    assert (found.values, found.explanations) == ({"1": "3", "2": "4"}, {"1": "ada peta"})
    found = read_levels(b'{"1": {"level": 3, "explanation": "ada peta"}, "2": 4}')
    assert (found.values, found.explanations) == ({"1": "3", "2": "4"}, {"1": "ada peta"})


def test_populations_are_read_by_the_codes_that_a_spreadsheet_clipped(tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("Kode;Nama;Jumlah Penduduk\n32,1;Kab. Majalengka;1.305.476\n32,11;Sumedang;1152400\n")
    found = settings_files.read_counts(file, settings_files.PEOPLE, settings_files.MOST_PEOPLE)
    assert found == [("32.10", 1305476), ("32.11", 1152400)]


def test_a_bad_line_of_a_population_file_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings_files, "known_institutions", official_regions)
    file = tmp_path / "people.csv"
    file.write_text("institution,name,people\n32.11,Bandung,5\n3210,,7\n32.12,,many\n32.1,,1\n32.10,,2\n")
    with pytest.raises(typer.Exit):
        settings_files.read_counts(file, settings_files.PEOPLE, settings_files.MOST_PEOPLE)
    told = capsys.readouterr().err
    assert "line 2: 32.11 is Kabupaten Sumedang, and 'Bandung' is 32.04 Kabupaten Bandung or 32.73 Kota Bandung" in told
    assert "line 3: institution '3210' is not known: is it 32.10 Kabupaten Majalengka?" in told
    assert "line 4: people 'many' is not a whole number" in told
    assert "line 6: 32.10 was given before, in line 5" in told


@pytest.mark.parametrize("text", ["institution\n", "Kode;Nama\n;\n\n"])
def test_a_file_of_members_without_any_takes_no_cluster_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    file = tmp_path / "members.csv"
    file.write_text(text)
    with pytest.raises(typer.Exit):
        settings_files.read_codes(file)
    assert "line 1: has no line below its header" in capsys.readouterr().err


RESULTS = st.builds(
    pb.Result,
    institution=st.sampled_from(["32.10", "32.11", "91", "ID-X"]),
    instrument=st.sampled_from(["spbe-59-2020", "mini"]),
    period=st.sampled_from(["2022", "2022-H1", "2022-M05"]),
    stage=st.sampled_from([1, 2, 7]),
    published_index=st.sampled_from(["", "3.10", "3.00", "0.91425"]),
    values=st.dictionaries(st.sampled_from(["1", "5.10", "35-2"]), st.sampled_from(["1", "3", "2.5"]), max_size=3),
)


@settings(max_examples=60, deadline=None, database=None)
@given(st.lists(RESULTS, max_size=4))
def test_exported_results_come_back_as_they_went(found: list[pb.Result]) -> None:
    lines = exported(found, {"32.10": "Kabupaten Majalengka", "ID-X": "=1+1"})
    for content in (
        tables.csv_of([EXPORTED, *lines]).encode("utf-8-sig"),
        tables.xlsx_of(tables.Sheet("Hasil", [EXPORTED, *lines], {"index", "level"})),
    ):
        back = list(rows_of(io.BytesIO(content)))
        assert [
            [r.institution, r.name, r.instrument, r.period, r.stage, "" if r.indicator else r.value, r.indicator]
            for r in back
        ] == [line[:7] for line in lines]
        assert [r.value for r in back] == [line[5] or line[7] for line in lines]


INSTITUTIONS = st.tuples(
    st.sampled_from(["A", "KOR-11", "007"]),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20).map(tables.text).filter(bool),
    st.just("city"),
    st.sampled_from(["", "32.10", "KOR"]),
)


@settings(max_examples=60, deadline=None, database=None)
@given(st.lists(INSTITUTIONS, max_size=4))
def test_listed_institutions_come_back_as_they_went(found: list[tuple[str, str, str, str]]) -> None:
    header = ["code", "name", "kind", "parent"]
    for content in (
        tables.csv_of([header, *found]).encode(),
        tables.xlsx_of(tables.Sheet("Daftar", [header, *found])),
    ):
        back = [(row.code, row.name, row.kind, row.parent) for row in institution_rows(content)]
        assert back == found


def test_a_command_reads_a_code_as_files_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert [as_code(text) for text in ("32.1", "32,11", "91.01", "", "KOR-11")] == [
        "32.10",
        "32.11",
        "93.01",
        "",
        "KOR-11",
    ]
    assert capsys.readouterr().err == "91.01 is 93.01 Kabupaten Merauke since 2022 (UU 14/2022)\n"
