"""Coaches for a cohort at once: against every other assignment on small cases, and each rule by itself."""

import itertools
import random
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import pytest
from livinglab.coaching.v1 import assignment_pb2 as pb
from livinglab.coaching.v1 import coaching_pb2

from services.coaching.model.pairing.matching import BALANCE, Aspect, Candidates, Region, excluded, matched

NOW = datetime(2022, 11, 7, tzinfo=UTC)
SPBE = "spbe-59-2020"
ZONES = ("Asia/Jakarta", "Asia/Makassar", "Asia/Jayapura")


def coach(coach_id: str, capacity: int = 2, conflicts: tuple[str, ...] = (), **grades: Any) -> coaching_pb2.Coach:
    found = coaching_pb2.Coach(id=coach_id, capacity=capacity, conflicts=conflicts, time_zone="Asia/Jakarta")
    for aspect, grade in grades.items():
        found.expertise.add(instrument=SPBE, aspect=aspect.removeprefix("a"), grade=grade)
    return found


def region(code: str, current: str = "", chosen: str = "", before: tuple[str, ...] = (), **gaps: Any) -> Region:
    aspects = [Aspect(SPBE, name.removeprefix("a"), name, Fraction(str(gap))) for name, gap in gaps.items()]
    return Region(code, "Asia/Jakarta", aspects, current, before, chosen)


def drawn(draw: random.Random, aspects: int) -> dict[str, Any]:
    """A number from 1 to 3 for each aspect."""
    return {f"a{aspect}": draw.randint(1, 3) for aspect in range(aspects)}


def pairs(regions: list[Region], candidates: Candidates) -> dict[str, str]:
    return {pair.institution: pair.coach_id for pair in matched(regions, candidates, NOW)}


def value(found: list[pb.Pair], regions: list[Region], candidates: Candidates) -> tuple[int, int, int]:
    """Without a coach, changes, points lost: the less the better, in this order."""
    coaches = {one.id: one for one in candidates.coaches}
    loads = dict(candidates.taken)
    points = 0
    for pair in found:
        if pair.coach_id:
            load = loads.get(pair.coach_id, 0)
            points += pair.expertise + pair.continuity + pair.distance
            points -= BALANCE * (load + 1) // coaches[pair.coach_id].capacity
            loads[pair.coach_id] = load + 1
    moved = sum(
        bool(one.current) and bool(pair.coach_id) and one.current != pair.coach_id and not one.chosen
        for one, pair in zip(regions, found, strict=True)
    )
    return sum(not pair.coach_id for pair in found), moved, -points


def every_other(regions: list[Region], candidates: Candidates) -> list[pb.Pair]:
    """The best of all there are, each pair's points as it has them when it is alone."""
    free = [Region(one.code, one.zone, one.aspects, "", one.before) for one in regions]
    alone = {
        (one.code, who.id): matched([bare], Candidates([who]), NOW)[0]
        for one, bare in zip(regions, free, strict=True)
        for who in candidates.coaches
        if not excluded(who, one.code) and one.chosen in ("", who.id) and who.id not in candidates.gone
    }
    best: list[pb.Pair] = []
    for ids in itertools.product(["", *(who.id for who in candidates.coaches)], repeat=len(regions)):
        found = []
        for one, coach_id in zip(regions, ids, strict=True):
            if coach_id and (one.code, coach_id) not in alone:
                break
            found.append(alone[(one.code, coach_id)] if coach_id else pb.Pair(institution=one.code))
        full = any(ids.count(who.id) + candidates.taken.get(who.id, 0) > who.capacity for who in candidates.coaches)
        if len(found) == len(regions) and not full:
            best = min((one for one in (best, found) if one), key=lambda one: value(one, regions, candidates))
    return best


@pytest.mark.parametrize("seed", range(25))
def test_nothing_is_better_than_what_is_found(seed: int) -> None:
    draw = random.Random(seed)
    codes = [f"r{n}" for n in range(4)]
    coaches = [
        coach(
            f"c{n}",
            draw.randint(1, 2),
            tuple(draw.sample(codes, draw.randint(0, 2))),
            **drawn(draw, draw.randint(0, 3)),
        )
        for n in range(3)
    ]
    for one in coaches:
        one.time_zone = draw.choice(ZONES)
    names = ["", *(one.id for one in coaches)]
    regions = [
        region(
            code,
            draw.choice(names),
            before=(draw.choice(names),),
            **{name: grade / 10 for name, grade in drawn(draw, 3).items()},
        )
        for code in codes
    ]
    candidates = Candidates(coaches, {"c0": draw.randint(0, 1)}, {"c2"} if seed % 3 == 0 else ())
    found = matched(regions, candidates, NOW)
    assert value(found, regions, candidates) == value(every_other(regions, candidates), regions, candidates)


def test_who_knows_what_is_lacking_comes_first_and_says_so() -> None:
    lacking = region("32.11", a1=0.3, a2=0.1)
    [pair] = matched([lacking], Candidates([coach("other", a2=3), coach("knows", a1=3)]), NOW)
    assert (pair.coach_id, pair.expertise, pair.next_coach_id, pair.next_less) == ("knows", 750, "other", 500)
    assert [(one.aspect, one.gap, one.grade) for one in pair.aspects] == [("1", "0.30", 3), ("2", "0.10", 0)]


def test_conflicts_and_the_own_house_exclude() -> None:
    own = coach("own")
    own.institution = "32.11"
    both = Candidates([coach("barred", conflicts=("32.11",)), own])
    [pair] = matched([region("32.11")], both, NOW)
    assert (pair.coach_id, pair.reason) == ("", "everybody with a free place has a conflict with it")


def test_places_are_filled_evenly_and_never_beyond_capacity() -> None:
    regions = [region(f"r{n}") for n in range(7)]
    found = pairs(regions, Candidates([coach("a", 3), coach("b", 3)]))
    assert sorted(found.values()) == ["", "a", "a", "a", "b", "b", "b"]
    even = pairs(regions[:4], Candidates([coach("a", 4), coach("b", 4)]))
    assert sorted(even.values()) == ["a", "a", "b", "b"]


def test_who_had_the_coach_before_gets_it_again_and_a_choice_wins() -> None:
    again = [region("r0", before=("b",)), region("r1", before=("a",))]
    coaches = [coach("a", 1), coach("b", 1)]
    assert pairs(again, Candidates(coaches)) == {"r0": "b", "r1": "a"}
    chosen = [region("r0", before=("b",), chosen="a"), region("r1", before=("a",))]
    assert pairs(chosen, Candidates(coaches)) == {"r0": "a", "r1": "b"}


def test_a_coach_that_drops_out_moves_their_own_regions_alone_where_places_allow() -> None:
    """Even where others would suit much better."""
    regions = [region("r0", "a", a1=1.0), region("r1", "b", a1=1.0), region("r2", "gone", a1=1.0)]
    coaches = [coach("a", 3), coach("b", 3, a1=3), coach("gone", 3, a1=3)]
    found = pairs(regions, Candidates(coaches, gone={"gone"}))
    assert found == {"r0": "a", "r1": "b", "r2": "b"}
    # Where only moving somebody makes room, one moves.
    tight = [coach("a", 2, ("r2",)), coach("b", 1), coach("gone", 3)]
    assert pairs(regions, Candidates(tight, gone={"gone"})) == {"r0": "a", "r1": "a", "r2": "b"}


def test_a_hundred_coaches_are_found_for_a_whole_nation() -> None:
    draw = random.Random(1)
    coaches = [coach(f"c{n}", 8, **drawn(draw, 4)) for n in range(100)]
    regions = [region(f"r{n}", **drawn(draw, 8)) for n in range(514)]
    found = matched(regions, Candidates(coaches), NOW)
    assert all(pair.coach_id for pair in found)
