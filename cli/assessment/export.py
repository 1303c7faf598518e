"""A profile as a sheet that people know, one row an indicator and stages as columns: rows, CSV, XLSX, JSON."""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from google.protobuf.json_format import MessageToDict
from livinglab.assessment.v1 import evaluation_pb2, guidance_pb2, instrument_pb2, understanding_pb2
from openpyxl import Workbook
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter

STAGE_TITLES = {
    evaluation_pb2.STAGE_SELF_ASSESSMENT: "Penilaian Mandiri (EM)",
    evaluation_pb2.STAGE_DOCUMENT: "Evaluasi Dokumen (DE)",
    evaluation_pb2.STAGE_INTERVIEW: "Interviu (Int)",
    evaluation_pb2.STAGE_VISIT: "Visitasi",
    evaluation_pb2.STAGE_REVIEW: "Reviu",
    evaluation_pb2.STAGE_DETERMINATION: "Penetapan",
    evaluation_pb2.STAGE_PUBLICATION: "Publikasi",
}
_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?")
# What a spreadsheet would take for a formula, the two blanks included that some of them skip.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
# XML 1.0 has no place for these.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_HEADER_FILL = PatternFill("solid", start_color="FFDDE6F0")

Profile = understanding_pb2.GetProfileResponse
Table = list[list[str]]
# What each indicator still needs, by its code.
Needs = Mapping[str, guidance_pb2.IndicatorNeeds]
NOTHING: Needs = {}


def neutral(text: str) -> str:
    """The text so that no spreadsheet runs it; numbers stay numbers."""
    text = _CONTROL.sub("", text)
    return "'" + text if text.startswith(_FORMULA) and not _DECIMAL.fullmatch(text) else text


def indicator_table(profile: Profile, instrument: instrument_pb2.Instrument, needs: Needs = NOTHING) -> Table:
    """A header and one row an indicator or instance of one; with `needs`, what its next level asks for at the end."""
    domains, aspects, weights = _places(list(instrument.nodes))
    stages = list(profile.stages)
    header = ["No", "Domain", "Aspek", "Indikator", "Bobot (%)", *(STAGE_TITLES[stage] for stage in stages)]
    further = ["Tingkat berikutnya", "Yang masih diminta", "Dokumen yang diharapkan"] if needs else []
    table = [[*header, "Hasil", "Selisih", "Fakta", "Analisis", "Justifikasi", *further]]
    for row in profile.rows:
        code = row.indicator if row.indicator in weights else row.indicator.rpartition("-")[0]
        cells = {cell.stage: cell.value for cell in row.cells}
        values = [cells.get(stage, "") for stage in stages]
        place = [domains.get(code, ""), aspects.get(code, "")]
        note = [row.note.fact, row.note.analysis, row.note.justification]
        last = values[-1] if values else ""
        next_level = asked_for(needs[row.indicator]) if needs else []
        head = [row.indicator, *place, row.name, weights.get(code, "")]
        table.append([*head, *values, last, row.gap, *note, *next_level])
    return table


def asked_for(needs: guidance_pb2.IndicatorNeeds) -> list[str]:
    """The next level, what it and those below still ask for, and what can show it, in Bahasa Indonesia."""
    lacking = "; ".join(f"{need.criterion} {need.text}" for need in (*needs.unmet, *needs.missing))
    return [needs.next_level, lacking, "; ".join(document.name for document in needs.documents)]


def group_table(profile: Profile) -> Table:
    """A header and one row a node of the tree, the whole first."""
    stages = list(profile.stages)
    header = ["Jenis", "No", "Nama", *(STAGE_TITLES[stage] for stage in stages), "Selisih"]
    table = [[*header, "Terisi", "Menunggu", "Indikator", "Kekuatan", "Kelemahan"]]
    for group in profile.groups:
        cells = {cell.stage: cell.value for cell in group.cells}
        table.append(
            [
                group.kind or "indeks",
                group.number,
                group.name,
                *(cells.get(stage, "") for stage in stages),
                group.gap,
                str(group.answered),
                str(group.awaiting),
                str(group.indicators),
                ", ".join(group.strengths),
                ", ".join(group.weaknesses),
            ]
        )
    return table


def summary_table(
    evaluation: evaluation_pb2.Evaluation, instrument: instrument_pb2.Instrument, institution: str
) -> Table:
    """What the sheet is about, as pairs."""
    computed, published = evaluation.score.index, evaluation.published_index
    return [
        ["Instansi", institution],
        ["Kode", evaluation.institution],
        ["Instrumen", f"{instrument.title} ({instrument.id}, versi {instrument.version})"],
        ["Periode", evaluation.period],
        ["Tahap", STAGE_TITLES.get(evaluation.stage, "")],
        ["Indeks dihitung", computed],
        ["Predikat", evaluation.score.predicate],
        ["Indeks diumumkan", published],
        ["Selisih", f"{Decimal(published) - Decimal(computed):f}" if published and computed else ""],
        ["Revisi", str(evaluation.revision) if evaluation.revision else ""],
        ["Penetapan", evaluation.determination.decree],
        ["Menunggu instansi lain", ", ".join(evaluation.score.awaiting)],
    ]


def as_csv(table: Iterable[Sequence[str]]) -> str:
    """RFC 4180, every text neutralised."""
    out = io.StringIO()
    csv.writer(out).writerows([neutral(cell) for cell in row] for row in table)
    return out.getvalue()


def as_xlsx(summary: Table, indicators: Table, groups: Table) -> bytes:
    """Three sheets: Ringkasan, Indikator, Kelompok; numbers are numbers, texts are neutralised."""
    book = Workbook()
    for n, (title, table) in enumerate((("Indikator", indicators), ("Kelompok", groups), ("Ringkasan", summary))):
        sheet = book.active if n == 0 else book.create_sheet()
        sheet.title = title
        for row in table:
            sheet.append([_cell(cell) for cell in row])
        if table is not summary:
            for cell in sheet[1]:
                cell.font, cell.fill = Font(bold=True), _HEADER_FILL
                cell.alignment = Alignment(wrap_text=True, vertical="top")
            sheet.freeze_panes = "A2"
            sheet.auto_filter.ref = sheet.dimensions
            sheet.print_title_rows = "1:1"
        for column in range(1, sheet.max_column + 1):
            longest = max(len(row[column - 1]) for row in table if len(row) >= column)
            sheet.column_dimensions[get_column_letter(column)].width = min(max(longest + 2, 6), 60)
        sheet.page_setup.orientation = "landscape"
        sheet.page_setup.fitToHeight = 0
        sheet.sheet_properties.pageSetUpPr.fitToPage = True
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def as_dict(
    evaluation: evaluation_pb2.Evaluation, profile: Profile, institution: str, needs: Needs = NOTHING
) -> dict[str, Any]:
    """Everything, for programs; stages by name."""
    asked = {"needs": [MessageToDict(one, preserving_proto_field_name=True) for one in needs.values()]}
    return {
        "institution": evaluation.institution,
        "institution_name": institution,
        "evaluation": MessageToDict(evaluation, preserving_proto_field_name=True),
        "profile": MessageToDict(profile, preserving_proto_field_name=True),
    } | (asked if needs else {})


def _cell(text: str) -> str | Decimal:
    return Decimal(text) if _DECIMAL.fullmatch(text) and len(text) <= 15 else neutral(text)


def _places(
    nodes: list[instrument_pb2.Node], domain: str = "", aspect: str = ""
) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """Of each indicator: the name of the top group, of the group that holds it, and its weight."""
    domains: dict[str, str] = {}
    aspects: dict[str, str] = {}
    weights: dict[str, str] = {}
    for node in nodes:
        if node.children:
            found = _places(list(node.children), domain or node.name, node.name)
            for known, more in zip((domains, aspects, weights), found, strict=True):
                known.update(more)
        else:
            domains[node.number], aspects[node.number] = domain, aspect
            weights[node.number] = node.weight
    return domains, aspects, weights
