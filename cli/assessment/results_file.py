"""Files of earlier results, CSV or XLSX, as rows for the import: every fault with its line."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import BinaryIO

from livinglab.assessment.v1 import evaluation_pb2
from livinglab.assessment.v1 import results_service_pb2 as pb

from chassis import tables
from chassis.tables import Column, Form, Row, Table
from directory.columns import INSTITUTION, NAME
from instruments import periods
from instruments.rounding import as_taken

_KEYS = (
    INSTITUTION,
    Column("instrument", ("instrumen",)),
    Column("period", ("periode", "tahun"), lambda text: periods.as_written(tables.text(text))),
    Column("stage", ("tahap", "tahapan")),
)
_INDEX = Column("index", ("indeks", "nilai indeks", "indeks spbe"), as_taken, number=True)
_INDICATOR = Column("indicator", ("indikator", "no indikator", "kode indikator"))
_LEVEL = Column("level", ("tingkat", "tingkat kematangan", "nilai", "capaian"), as_taken, number=True)
FORMS = (
    Form((*_KEYS, _INDEX, NAME)),
    Form((*_KEYS, _INDICATOR, _LEVEL, NAME)),
    # As results are exported: of each line the index or the level is empty.
    Form((*_KEYS, _INDEX, _INDICATOR, _LEVEL, NAME)),
)


def rows_of(
    file: BinaryIO, tell: Callable[[int], None] = lambda _: None, told: Callable[[Table], None] = lambda _: None
) -> Iterator[pb.ImportRow]:
    """The rows of a file; what cannot be read is a row that says so. `tell` hears how many bytes were read, `told` of
    the table at its end."""
    table = Table(file, *FORMS, tell=tell)
    for row in table:
        fault = row.fault or _fault(row)
        yield pb.ImportRow(line=row.line, unreadable=fault[:1_000]) if fault else _row(row)
    told(table)


def _fault(row: Row) -> str:
    index, indicator, level = (row.cells.get(name, "") for name in ("index", "indicator", "level"))
    if index and (indicator or level):
        return "has an index and a level: a line gives one of them"
    if "level" in row.cells and not indicator and not index:
        return "names no indicator"
    return ""


def _row(row: Row) -> pb.ImportRow:
    found = row.cells
    return pb.ImportRow(
        line=row.line,
        institution=found["institution"],
        instrument=found["instrument"],
        period=found["period"],
        stage=found["stage"],
        indicator=found.get("indicator", ""),
        value=found.get("index", "") or found.get("level", ""),
        name=found.get("name", ""),
    )


EXPORTED = ["institution", "name", "instrument", "period", "stage", "index", "indicator", "level"]


def exported(results: Iterable[pb.Result], names: Mapping[str, str]) -> list[list[str]]:
    """Results as lines under the header EXPORTED, which come back through `rows_of` as they are here."""
    lines = []
    for one in results:
        stage = evaluation_pb2.Stage.Name(one.stage).removeprefix("STAGE_").lower()
        key = [one.institution, names.get(one.institution, ""), one.instrument, one.period, stage]
        if one.published_index:
            lines.append([*key, one.published_index, "", ""])
        lines += [[*key, "", indicator, level] for indicator, level in one.values.items()]
    return lines
