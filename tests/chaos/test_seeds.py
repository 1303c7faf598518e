"""A few seeds of `make chaos`: whatever their faults do to a cohort of twenty, everything that must hold does."""

from pathlib import Path

import pytest

from tests.chaos.seeds.draw import KINDS, faults
from tests.chaos.seeds.run import run

# Between them they kill, cut, slow and put into disorder; `make chaos` tries many.
SEEDS = (4, 12)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", SEEDS)
async def test_everything_holds_after_the_faults_of(seed: int, tmp_path: Path) -> None:
    outcome = await run(seed, tmp_path)
    assert outcome.held, str(outcome)
    assert outcome.begun == len(outcome.faults)


def test_a_seed_stands_for_the_same_faults_again_and_many_for_every_kind() -> None:
    assert faults(17) == faults(17) != faults(18)
    assert {fault.kind for seed in range(200) for fault in faults(seed)} == set(KINDS)
