"""A profile as a sheet that people know, one row an indicator and stages as columns: rows, CSV, XLSX, JSON."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from google.protobuf.json_format import MessageToDict
from livinglab.assessment.v1 import evaluation_pb2, guidance_pb2, instrument_pb2, understanding_pb2

from chassis import tables
from chassis.tables import Sheet

STAGE_TITLES = {
    evaluation_pb2.STAGE_SELF_ASSESSMENT: "Penilaian Mandiri (EM)",
    evaluation_pb2.STAGE_DOCUMENT: "Evaluasi Dokumen (DE)",
    evaluation_pb2.STAGE_INTERVIEW: "Interviu (Int)",
    evaluation_pb2.STAGE_VISIT: "Visitasi",
    evaluation_pb2.STAGE_REVIEW: "Reviu",
    evaluation_pb2.STAGE_DETERMINATION: "Penetapan",
    evaluation_pb2.STAGE_PUBLICATION: "Publikasi",
}
# The columns, and the lines of the summary, that hold values.
_NUMBERS = {"Bobot (%)", *STAGE_TITLES.values(), "Hasil", "Selisih", "Terisi", "Menunggu"}
_SUMMARY_NUMBERS = {"Indeks dihitung", "Indeks diumumkan", "Selisih", "Revisi"}

Profile = understanding_pb2.GetProfileResponse
Table = list[list[str]]
# What each indicator still needs, by its code.
Needs = Mapping[str, guidance_pb2.IndicatorNeeds]
NOTHING: Needs = {}


def indicator_table(
    profile: Profile,
    instrument: instrument_pb2.Instrument,
    needs: Needs = NOTHING,
    explained: Mapping[str, str] | None = None,
) -> Table:
    """A header and one row an indicator or instance of one, with what was explained of its level; with `needs`, what
    its next level asks for at the end."""
    domains, aspects, weights = _places(list(instrument.nodes))
    stages = list(profile.stages)
    header = ["No", "Domain", "Aspek", "Indikator", "Bobot (%)", *(STAGE_TITLES[stage] for stage in stages)]
    further = ["Tingkat berikutnya", "Yang masih diminta", "Dokumen yang diharapkan"] if needs else []
    table = [[*header, "Hasil", "Selisih", "Penjelasan", "Fakta", "Analisis", "Justifikasi", *further]]
    for row in profile.rows:
        code = row.indicator if row.indicator in weights else row.indicator.rpartition("-")[0]
        cells = {cell.stage: cell.value for cell in row.cells}
        values = [cells.get(stage, "") for stage in stages]
        place = [domains.get(code, ""), aspects.get(code, "")]
        note = [(explained or {}).get(row.indicator, ""), row.note.fact, row.note.analysis, row.note.justification]
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
    """RFC 4180, every text guarded."""
    return tables.csv_of(table)


def as_xlsx(summary: Table, indicators: Table, groups: Table) -> bytes:
    """Three sheets: Indikator, Kelompok, Ringkasan. Values are numbers as they are written, all else are texts."""
    return tables.xlsx_of(
        Sheet("Indikator", indicators, _NUMBERS),
        Sheet("Kelompok", groups, _NUMBERS),
        Sheet("Ringkasan", summary, _SUMMARY_NUMBERS, header=False),
    )


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
