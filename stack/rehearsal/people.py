"""Who the actors are: how each region stands and behaves, drawn from a seed so that a rehearsal can be repeated."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, pstdev

# National mean of 2021, from which the program started; the spread is chosen so that Kurang to Baik occur.
MEAN_INDEX = 2.24
_SPREAD = 0.45
_ROLE_MODEL_INDEX = 3.7
_LOWEST, _HIGHEST = 1.2, 3.6

# Shares of the roster that do each thing, chosen so that every path is walked in a cohort of 62.
_LATE = 0.10
_MISSES = 0.04
_WITHDRAWS = 0.03
_BLUNDERS = 0.10
_SENDS_DELEGATE = 0.15
_PLAN_RETURNED = 0.15
_UNREACHABLE = 0.03


@dataclass(frozen=True)
class Character:
    """How one participant behaves. Times are shares of a phase's length, before which nothing is done."""

    institution: str
    seed: str
    # Indicator to its level before the program.
    levels: Mapping[str, int]
    # When in each phase it acts; beyond 1 is after the deadline.
    pace: float
    misses: bool
    withdraws: bool
    blunders: bool
    sends_delegate: bool
    plan_returned: bool
    # Share of the plan's actions done in the follow-up.
    diligence: float

    def dice(self, scene: str) -> random.Random:
        """Chance of its own for each scene: what happens in one does not change another."""
        return random.Random(f"{self.seed}:{self.institution}:{scene}")


def cast(institutions: Sequence[str], indicators: Sequence[str], role_model: str, seed: str) -> dict[str, Character]:
    """A character for each institution; the mean of their levels is near MEAN_INDEX."""
    dice = random.Random(seed)
    maturity = _maturity(dice, institutions, role_model)
    return {code: _character(code, maturity[code], indicators, seed, code == role_model) for code in institutions}


def _maturity(dice: random.Random, institutions: Sequence[str], role_model: str) -> dict[str, float]:
    drawn = {code: dice.gauss(0, 1) for code in institutions}
    centre, width = mean(drawn.values()), pstdev(drawn.values()) or 1.0
    maturity = {
        code: min(_HIGHEST, max(_LOWEST, MEAN_INDEX + _SPREAD * (z - centre) / width)) for code, z in drawn.items()
    }
    if role_model in maturity:
        maturity[role_model] = _ROLE_MODEL_INDEX
    return maturity


def _character(code: str, maturity: float, indicators: Sequence[str], seed: str, model: bool) -> Character:
    dice = random.Random(f"{seed}:{code}")
    # A level between two whole ones becomes one of them by chance, so that the expected mean is the maturity itself.
    levels = {indicator: min(5, max(1, int(maturity + dice.random()))) for indicator in indicators}
    pace = dice.uniform(0.15, 0.6) if dice.random() > _LATE else dice.uniform(0.85, 1.05)
    return Character(
        institution=code,
        seed=seed,
        levels=levels,
        pace=0.2 if model else pace,
        misses=not model and dice.random() < _MISSES,
        withdraws=not model and dice.random() < _WITHDRAWS,
        blunders=dice.random() < _BLUNDERS,
        sends_delegate=dice.random() < _SENDS_DELEGATE,
        plan_returned=dice.random() < _PLAN_RETURNED,
        diligence=dice.uniform(0.6, 1.0) if model or dice.random() > _UNREACHABLE else 0.2,
    )


def later_levels(character: Character, raised: Mapping[str, int]) -> dict[str, int]:
    """Levels at the re-assessment: what the plan raised, and here and there a step that nobody planned."""
    dice = character.dice("drift")
    drifted = {code: min(5, level + (dice.random() < 0.08)) for code, level in character.levels.items()}
    return {code: max(level, raised.get(code, 0)) for code, level in drifted.items()}
