"""What an evaluation is exported as: sheets that no spreadsheet runs, a report that holds what people wrote as text."""

import csv
import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from livinglab.assessment.v1 import evaluation_pb2, instrument_pb2, service_pb2, understanding_pb2
from openpyxl import load_workbook

from chassis import tables
from cli.assessment import export
from cli.assessment.report import radar, report
from cli.speak.levels import read_levels
from instruments import instrument_files
from instruments.file import load
from instruments.scoring import Scorer
from services.assessment.model import cycle, self_assessment
from services.assessment.model.profile import profile

NOW = datetime(2022, 11, 21, tzinfo=UTC)
SPBE = load(instrument_files()["spbe-59-2020"].read_bytes())
EVIL = "=HYPERLINK(1)<script>alert(1)</script>"


def evaluated(
    instrument: instrument_pb2.Instrument = SPBE,
) -> tuple[evaluation_pb2.Evaluation, understanding_pb2.GetProfileResponse]:
    """Level 3 by itself, 2 for indicator 1 in the document stage with a note that means harm."""
    scorer = Scorer(instrument)
    request = service_pb2.OpenEvaluationRequest(institution="32.11", instrument=instrument.id, period="2022")
    evaluation, _ = self_assessment.opened(request, 1, cycle.standard(), "operator", NOW)
    answers = [evaluation_pb2.Answer(indicator=code, value="3") for code in scorer.indicators]
    self_assessment.save_answers(evaluation, service_pb2.SaveAnswersRequest(answers=answers), scorer, "operator", NOW)
    self_assessment.submit(evaluation, "", scorer, "head", NOW)
    cycle.require_stage(evaluation, evaluation_pb2.STAGE_DOCUMENT, "")
    note = evaluation_pb2.AssessorNote(fact=EVIL, analysis="+1", justification="-cmd")
    value = evaluation_pb2.StageValue(indicator="1", value="2", note=note, set_by=["ani"])
    cycle.conclude(evaluation, [value], scorer, "ani", NOW)
    return evaluation, profile(evaluation, instrument, scorer)


@settings(deadline=None)
@given(st.text())
def test_no_text_reaches_a_spreadsheet_as_a_formula(text: str) -> None:
    shown = tables.guarded(text)
    try:
        Decimal(shown)
    except ArithmeticError:
        assert not shown.startswith(("=", "+", "-", "@", "\t", "\r"))


@pytest.mark.parametrize("number", ["-1", "0", "2.64", "-0.03"])
def test_numbers_stay_numbers(number: str) -> None:
    assert tables.guarded(number) == number


# Writing a workbook takes its time on a busy machine.
@settings(deadline=None, max_examples=50)
@given(st.lists(st.lists(st.text(), min_size=1, max_size=4), min_size=1, max_size=4))
def test_any_table_can_be_written_and_read_again(table: list[list[str]]) -> None:
    read = load_workbook(io.BytesIO(export.as_xlsx([["a", "b"]], table, [["c"]])))
    assert read.sheetnames == ["Indikator", "Kelompok", "Ringkasan"]
    assert not any(cell.data_type == "f" for row in read["Indikator"].rows for cell in row)
    assert len(list(csv.reader(io.StringIO(export.as_csv(table), newline="")))) == len(table)


def test_the_sheet_has_one_row_an_indicator_and_stages_as_columns() -> None:
    evaluation, found = evaluated()
    table = export.indicator_table(found, SPBE)
    assert table[0] == [
        *["No", "Domain", "Aspek", "Indikator", "Bobot (%)", "Penilaian Mandiri (EM)", "Evaluasi Dokumen (DE)"],
        *["Hasil", "Selisih", "Penjelasan", "Fakta", "Analisis", "Justifikasi"],
    ]
    assert len(table) == 48
    first = dict(zip(table[0], table[1], strict=True))
    assert (first["Bobot (%)"], first["Penilaian Mandiri (EM)"], first["Hasil"], first["Selisih"]) == (
        "1.3",
        "3",
        "2",
        "-1",
    )
    assert first["Domain"] == "Kebijakan Internal SPBE"
    book = load_workbook(
        io.BytesIO(
            export.as_xlsx(
                export.summary_table(evaluation, SPBE, "Kabupaten Sumedang"), table, export.group_table(found)
            )
        )
    )
    row = [cell.value for cell in book["Indikator"][2]]
    assert (row[0], row[5], row[7], row[8]) == ("1", 3, 2, -1)
    assert row[10] == "'" + EVIL
    assert {pair[0].value: pair[1].value for pair in book["Ringkasan"].rows}["Indeks dihitung"] == 2.99
    assert [cell.value for cell in book["Kelompok"][2]][:5] == ["indeks", None, None, 3, 2.99]
    json.dumps(export.as_dict(evaluation, found, "Kabupaten Sumedang"))


class Tags(HTMLParser):
    """Which elements there are, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_report_is_for_print_without_scripts_and_what_people_wrote_stays_text() -> None:
    evaluation, found = evaluated()
    html = report(evaluation, found, SPBE, "Kabupaten Sumedang")
    page = Tags(html)
    assert "script" not in page.tags
    assert EVIL in page.text
    assert "@media print" in html
    assert "http" not in html.replace("http://www.w3.org/2000/svg", "")
    for text in ("Laporan Hasil Evaluasi", "Kabupaten Sumedang", "2,99", "Baik", "Kekuatan", "Kelemahan"):
        assert text in page.text


def test_the_date_of_a_decree_is_written_as_in_indonesia() -> None:
    evaluation, found = evaluated()
    evaluation.determination.decree = "KepmenPANRB 1"
    evaluation.determination.decree_date = "2023-05-30"
    assert "KepmenPANRB 1, tanggal 30 Mei 2023" in Tags(report(evaluation, found, SPBE, "Kabupaten Sumedang")).text


def test_the_radar_has_an_axis_for_each_aspect_and_a_shape_for_both_sides() -> None:
    _, found = evaluated()
    drawn = radar(found, SPBE)
    assert drawn is not None
    assert [axis.label for axis in drawn.axes] == [str(n) for n in range(1, 9)]
    assert [shape.dashed for shape in drawn.shapes] == [True, False]
    assert all(len(shape.points.split()) == 8 for shape in drawn.shapes)
    # Level 3 of 1..5 is half way up the first axis.
    assert drawn.shapes[0].points.split()[0] == "240.0,155.0"


def test_an_exported_evaluation_comes_back_as_the_levels_that_it_holds() -> None:
    evaluation, found = evaluated()
    evaluation.answers[4].note = "-2 ada peta; =1+1"
    explained = {answer.indicator: answer.note for answer in evaluation.answers}
    table = export.indicator_table(found, SPBE, explained=explained)
    summary = export.summary_table(evaluation, SPBE, "Kabupaten Sumedang")
    whole = json.dumps(export.as_dict(evaluation, found, "Kabupaten Sumedang"))
    files = [
        export.as_csv(table).encode("utf-8-sig"),
        export.as_xlsx(summary, table, export.group_table(found)),
        whole.encode(),
    ]
    expected = {str(n): "3" for n in range(1, 48)} | {"1": "2"}
    for content in files:
        levels = read_levels(content)
        assert (levels.faults, levels.values) == ([], expected)
        assert levels.explanations == {"5": "-2 ada peta; =1+1"}


def test_codes_and_indicators_of_a_sheet_keep_their_zeros() -> None:
    table = [["No", "Hasil"], ["5.10", "3.10"]]
    book = load_workbook(io.BytesIO(export.as_xlsx([["Kode", "32.10"], ["Indeks dihitung", "3.10"]], table, [["c"]])))
    assert (book["Indikator"]["A2"].value, book["Indikator"]["A2"].data_type) == ("5.10", "s")
    assert (book["Indikator"]["B2"].value, book["Indikator"]["B2"].number_format) == (3.1, "0.00")
    assert (book["Ringkasan"]["B1"].value, book["Ringkasan"]["B2"].number_format) == ("32.10", "0.00")


@pytest.mark.parametrize("name", list(instrument_files()))
def test_every_official_instrument_makes_a_report(name: str) -> None:
    instrument = load(instrument_files()[name].read_bytes())
    evaluation, found = evaluated(instrument)
    assert instrument.title in Tags(report(evaluation, found, instrument, "Kota Denpasar")).text
