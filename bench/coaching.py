"""Coaches for a whole nation at once, and plans drafted for every indicator: the solvers, without a server."""

import random
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

from livinglab.coaching.v1 import coaching_pb2

from bench.rows import Row, middle, percentile, within
from instruments import instrument_files
from instruments.file import load
from instruments.tree import instrument_of
from services.coaching.model import drafting
from services.coaching.model.pairing.matching import Aspect, Candidates, Region, matched
from stack.system import System

_SPBE = "spbe-59-2020"
_ASPECTS, _COACHES, _REGIONS, _ROUNDS, _DRAFTS = 8, 100, 514, 5, 100
_NOW = datetime(2022, 11, 7, tzinfo=UTC)


async def rows(_system: System) -> AsyncIterator[Row]:
    """Both have the goal of an answer that somebody waits for."""
    draw = random.Random(1)
    coaches, regions = _coaches(draw), _regions(draw)
    took = []
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        matched(regions, Candidates(coaches), _NOW)
        took.append(time.perf_counter() - started)
    yield within("assigning", f"{_COACHES} coaches for {_REGIONS} regions", middle(took), 5, "s")
    yield within("drafting", "plan of least effort, 47 indicators, p95", percentile(_drafting(draw), 0.95), 300, "ms")


def _coaches(draw: random.Random) -> list[coaching_pb2.Coach]:
    found = []
    for n in range(_COACHES):
        one = coaching_pb2.Coach(id=f"c{n}", capacity=8, time_zone="Asia/Jakarta")
        for aspect in draw.sample(range(_ASPECTS), 4):
            one.expertise.add(instrument=_SPBE, aspect=str(aspect), grade=draw.randint(1, 3))
        found.append(one)
    return found


def _regions(draw: random.Random) -> list[Region]:
    aspects = [
        [Aspect(_SPBE, str(n), str(n), Fraction(draw.randint(1, 3))) for n in range(_ASPECTS)] for _ in range(_REGIONS)
    ]
    return [Region(f"r{n}", "Asia/Jakarta", one) for n, one in enumerate(aspects)]


def _drafting(draw: random.Random) -> list[float]:
    """Milliseconds of each draft: levels as they come, a target of half a point more."""
    instrument = instrument_of(load(instrument_files()[_SPBE].read_bytes()))
    took = []
    for _ in range(_DRAFTS):
        values = {number: Decimal(draw.randint(1, 4)) for number in instrument.leaves}
        started = time.perf_counter()
        drafting.draft(instrument.items(values), instrument, drafting.Terms(missing=Fraction(1, 2)))
        took.append((time.perf_counter() - started) * 1_000)
    return took
