"""The ranking: by the two-digit index, ties share a rank, and how places moved since an earlier period."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from livinglab.benchmark.v1 import service_pb2 as pb

from services.benchmark.model import Region, Standing, written


@dataclass(frozen=True, slots=True)
class Place:
    """A standing and its rank among those it was ranked with."""

    rank: int
    standing: Standing


def places(standings: Sequence[Standing]) -> list[Place]:
    """Highest index first, among equals by the institution's code. Equals share a rank, and the next rank counts
    all before it: 1, 2, 2, 4."""
    found: list[Place] = []
    for position, standing in enumerate(sorted(standings, key=lambda s: (-s.index, s.institution)), start=1):
        tied = found and found[-1].standing.index == standing.index
        found.append(Place(found[-1].rank if tied else position, standing))
    return found


def rows(shown: Sequence[Place], earlier: Sequence[Place], regions: Mapping[str, Region]) -> list[pb.RankingRow]:
    """Places as the contract has them, with movement and gain since the earlier places of the same group."""
    before = {place.standing.institution: place for place in earlier}
    return [_row(place, before.get(place.standing.institution), regions) for place in shown]


def _row(place: Place, before: Place | None, regions: Mapping[str, Region]) -> pb.RankingRow:
    standing = place.standing
    region = regions.get(standing.institution)
    row = pb.RankingRow(
        rank=place.rank,
        institution=standing.institution,
        name=region.name if region else standing.institution,
        index=written(standing.index),
        predicate=standing.predicate,
    )
    if before is not None:
        row.movement = before.rank - place.rank
        row.gain = written(standing.index - before.standing.index)
    return row
