"""Launching a cohort of 62 and of 514, against bare workflows with the same activities, and how both grow."""

import math
from collections.abc import AsyncIterator

from bench.bare.worker import bare_worker
from bench.cohorts import BareCohort, Connected, Launched, OurCohort, connected
from bench.rows import Row, at_most, at_most_over, middle
from stack.system import System

_FEW, _MANY = 62, 514
# The small one is over in seconds, so that a moment of the machine's decides over a round.
_ROUNDS = {_FEW: 5, _MANY: 2}


async def rows(system: System) -> AsyncIterator[Row]:
    """Seconds from the launch until every participant's first activities are done: rounds of both in turn, the order
    turned each time, the median of each."""
    took: dict[int, tuple[float, float]] = {}
    async with connected(system.addresses(), system.fleet.issuer) as at, bare_worker(system):
        await _round(at, _FEW, ours_first=True)
        for participants, rounds in _ROUNDS.items():
            pairs = [await _round(at, participants, ours_first=number % 2 == 0) for number in range(rounds)]
            took[participants] = middle([pair[0] for pair in pairs]), middle([pair[1] for pair in pairs])
            what = f"launch of {participants} until all have begun"
            yield at_most(f"launch-{participants}", what, *took[participants], "s", 1.25)
    growth = [_growth(took[_FEW][kind], took[_MANY][kind]) for kind in range(2)]
    what = f"growth of that from {_FEW} to {_MANY}: 1 is in proportion"
    yield at_most_over("launch-growth", what, growth[0], growth[1], "exponent", 0.05)


async def _round(at: Connected, participants: int, *, ours_first: bool) -> tuple[float, float]:
    """Seconds of ours and of the bare one. Each has ended before the other begins."""
    ours, bare = OurCohort(at, participants), BareCohort(at, participants)
    if ours_first:
        return await _timed(ours), await _timed(bare)
    other = await _timed(bare)
    return await _timed(ours), other


async def _timed(cohort: Launched) -> float:
    took = await cohort.launch()
    await cohort.end()
    return took


def _growth(few: float, many: float) -> float:
    """The exponent with which the time grows with the participants."""
    return math.log(many / few) / math.log(_MANY / _FEW)
