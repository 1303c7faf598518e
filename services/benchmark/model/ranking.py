"""The ranking: ties share a rank; how places moved, how far the next one is, who leapt and who was first."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from livinglab.benchmark.v1 import analysis_service_pb2 as analysis_pb
from livinglab.benchmark.v1 import service_pb2 as pb

from instruments import periods
from instruments.rounding import written
from services.benchmark.model.race import Region, Standing, shown


@dataclass(frozen=True, slots=True)
class Place:
    """A standing and its rank among those it was ranked with; `percentile` is None where there is nobody else,
    `to_next` where nobody is better."""

    rank: int
    standing: Standing
    percentile: Fraction | None = None
    to_next: Decimal | None = None


def places(standings: Sequence[Standing]) -> list[Place]:
    """Highest index first, among equals by the institution's code. Equals share a rank, and the next rank counts
    all before it: 1, 2, 2, 4."""
    ordered = sorted(standings, key=lambda s: (-s.index, s.institution))
    found: list[Place] = []
    start, better = 0, None
    while start < len(ordered):
        index, end = ordered[start].index, start
        while end < len(ordered) and ordered[end].index == index:
            end += 1
        percentile = _percentile(len(ordered) - end, end - start - 1, len(ordered) - 1)
        to_next = None if better is None else better - index
        found += [Place(start + 1, standing, percentile, to_next) for standing in ordered[start:end]]
        start, better = end, index
    return found


def _percentile(below: int, equals: int, others: int) -> Fraction | None:
    """Percent of the others that are below, equals counted half."""
    return Fraction(100 * below + 50 * equals, others) if others else None


def rows(shown_places: Sequence[Place], earlier: Sequence[Place], regions: Mapping[str, Region]) -> list[pb.RankingRow]:
    """Places as the contract has them, with movement and gain since the earlier places of the same group."""
    before = {place.standing.institution: place for place in earlier}
    found: list[pb.RankingRow] = []
    rank, percentile, to_next = 0, "", ""
    for place in shown_places:
        if place.rank != rank:
            # Written once for all who share a place.
            rank = place.rank
            percentile = "" if place.percentile is None else written(place.percentile)
            to_next = "" if place.to_next is None else shown(place.to_next)
        row = _row(place, before.get(place.standing.institution), regions)
        row.percentile, row.to_next = percentile, to_next
        found.append(row)
    return found


def _row(place: Place, before: Place | None, regions: Mapping[str, Region]) -> pb.RankingRow:
    standing = place.standing
    row = pb.RankingRow(
        rank=place.rank,
        institution=standing.institution,
        name=name_of(standing.institution, regions),
        index=shown(standing.index),
        predicate=standing.predicate,
        published=standing.published,
    )
    if before is not None:
        row.movement = before.rank - place.rank
        row.gain = shown(standing.index - before.standing.index)
    return row


def name_of(institution: str, regions: Mapping[str, Region]) -> str:
    """As people call it; its code where it is not in the list."""
    region = regions.get(institution)
    return region.name if region else institution


def changes(before: Sequence[pb.RankingRow], now: Sequence[pb.RankingRow]) -> tuple[list[pb.RankingRow], list[str]]:
    """Rows that are new or different, and the institutions that are gone."""
    known = {row.institution: row for row in before}
    left = known.keys() - {row.institution for row in now}
    return [row for row in now if known.get(row.institution) != row], sorted(left)


def leaps(
    now: Sequence[Standing], earlier: Sequence[Standing], regions: Mapping[str, Region]
) -> list[analysis_pb.Leap]:
    """Gains of those who were in both, the largest first, equals by their codes."""
    before = {standing.institution: standing.index for standing in earlier}
    both = [standing for standing in now if standing.institution in before]
    both.sort(key=lambda s: (before[s.institution] - s.index, s.institution))
    return [
        analysis_pb.Leap(
            institution=s.institution,
            name=name_of(s.institution, regions),
            to=shown(s.index),
            gain=shown(s.index - before[s.institution]),
            **{"from": shown(before[s.institution])},
        )
        for s in both
    ]


def firsts(
    by_period: Iterable[tuple[str, Sequence[Standing]]], target: Decimal, regions: Mapping[str, Region]
) -> list[analysis_pb.First]:
    """Who had the target in which period first; those of one period share a rank, the higher index named first."""
    found: list[analysis_pb.First] = []
    reached: set[str] = set()
    for period, standings in sorted(by_period, key=lambda entry: periods.order(entry[0])):
        new = [s for s in standings if s.index >= target and s.institution not in reached]
        reached.update(s.institution for s in new)
        rank = len(found) + 1
        found += [
            analysis_pb.First(
                rank=rank,
                institution=s.institution,
                name=name_of(s.institution, regions),
                period=period,
                index=shown(s.index),
            )
            for s in sorted(new, key=lambda s: (-s.index, s.institution))
        ]
    return found


def previous(found: Collection[str], period: str) -> str:
    """The last of the periods of the same kind before this one; empty without any."""
    _, alike, _ = periods.alike(period, found)
    # Numbered parts of a kind that nothing shows yet still follow one another.
    same = alike or [one for one in found if not periods.parse(one).parts]
    earlier = [one for one in same if periods.order(one) < periods.order(period)]
    return max(earlier, key=periods.order, default="")
