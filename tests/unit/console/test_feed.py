"""Open data by its rules alone: which columns there are, and how what is not known looks."""

from pathlib import Path

import pytest
from livinglab.assessment.v1.instrument_pb2 import Instrument, Node
from livinglab.benchmark.v1 import service_pb2 as pb

import instruments
from instruments.file import load
from services.console.model import feed

SHIPPED = Path(instruments.__file__).parent / "data"
RACE = {"instrument": "i", "period": "2025", "stage": "publication", "basis": "computed"}


@pytest.mark.parametrize("name", ["spbe-59-2020", "spbe-5-2018", "pemdi-8-2026"])
def test_every_domain_and_aspect_of_an_instrument_has_a_column_and_a_name(name: str) -> None:
    instrument = load((SHIPPED / f"{name}.yaml").read_bytes())
    columns = feed.node_columns([instrument])
    assert len([one for one in columns if one.startswith("aspect_")]) in (7, 8)
    [named] = feed.names([instrument])
    assert set(named["columns"]) == set(columns)
    assert all(named["columns"].values())


def test_columns_are_those_of_all_instruments_in_the_order_of_their_numbers() -> None:
    aspects = [Node(kind="aspect", number=str(n), children=[Node(kind="indicator", number=str(n))]) for n in (10, 9)]
    one = Instrument(nodes=[Node(kind="domain", number="2", children=aspects)])
    other = Instrument(nodes=[Node(kind="aspect", number="1")])
    assert feed.node_columns([one, other]) == ["domain_2", "aspect_1", "aspect_9", "aspect_10"]


def test_nothing_is_empty_or_null_and_nought_is_nought() -> None:
    ranking = pb.GetRankingResponse(total=2, version=1)
    held, new = pb.RankingRow(rank=1, name="=1+1", index="3.00", movement=0), pb.RankingRow(rank=2, index="2.00")
    rows = [feed.row(RACE, ranking, one) for one in (held, new)]
    columns = ["name", "index", "movement", "aspect_1"]
    assert feed.as_csv(columns, rows).decode().splitlines()[1:] == ["'=1+1,3.00,0,", ",2.00,,"]
    assert feed.as_records(columns, rows) == [
        {"name": "=1+1", "index": "3.00", "movement": 0, "aspect_1": None},
        {"name": None, "index": "2.00", "movement": None, "aspect_1": None},
    ]
