"""The race as open data: one row for each institution, race and basis. The names of the columns are a promise
(docs/api.md): none is renamed or taken away, new ones may come."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from services.console.model import tables

FIXED = (
    "institution",
    "name",
    "instrument",
    "version",
    "period",
    "stage",
    "basis",
    "index",
    "predicate",
    "rank",
    "ranked",
    "movement",
    "gain",
    "percentile",
    "published",
)
KINDS = ("domain", "aspect")
Row = dict[str, Any]


def row(race: Mapping[str, str], ranking: Any, found: Any) -> Row:
    """One of a ranking (GetRankingResponse, RankingRow). What there is none of is empty, and never 0."""
    return {
        "institution": found.institution,
        "name": found.name,
        "instrument": race["instrument"],
        "version": ranking.version,
        "period": race["period"],
        "stage": race["stage"],
        "basis": race["basis"],
        "index": found.index,
        "predicate": found.predicate,
        "rank": found.rank,
        "ranked": ranking.total,
        "movement": found.movement if found.HasField("movement") else None,
        "gain": found.gain,
        "percentile": found.percentile,
        "published": found.published,
    }


def node_columns(instruments: Iterable[Any]) -> list[str]:
    """domain_1 …, aspect_1 …: of every instrument there is, whatever is asked for, by kind and number."""
    found = {(one.kind, one.number) for instrument in instruments for one in _within(instrument.nodes)}
    return [node_column(kind, number) for kind, number in sorted(found, key=_place)]


def node_column(kind: str, number: str) -> str:
    """Of a value of the tree."""
    return f"{kind}_{number}"


def as_csv(columns: Sequence[str], rows: Iterable[Row]) -> bytes:
    """Empty where there is no value."""
    listed = ([_cell(one.get(column)) for column in columns] for one in rows)
    return tables.as_csv(columns, listed)


def as_records(columns: Sequence[str], rows: Iterable[Row]) -> list[Row]:
    """Every column in every row, null where there is no value."""
    return [{column: None if one.get(column) == "" else one.get(column) for column in columns} for one in rows]


def names(instruments: Iterable[Any]) -> list[dict[str, Any]]:
    """What instruments and the parts that stand in columns are called."""
    return [
        {
            "instrument": one.id,
            "version": one.version,
            "title": one.title,
            "columns": {node_column(node.kind, node.number): node.name for node in _within(one.nodes)},
        }
        for one in instruments
    ]


def _within(nodes: Iterable[Any]) -> Iterator[Any]:
    """Those that have a column, parents before children."""
    for node in nodes:
        if node.kind in KINDS:
            yield node
        yield from _within(node.children)


def _place(node: tuple[str, str]) -> tuple[int, int, str]:
    kind, number = node
    return KINDS.index(kind), int(number) if number.isdecimal() else 0, number


def _cell(value: Any) -> str:
    return "" if value is None else str(value)
