"""The index under other values, without storing anything, and which single step would gain most."""

from collections.abc import Mapping
from decimal import Decimal

from livinglab.assessment.v1 import understanding_pb2

from instruments.rounding import written
from instruments.scoring import Result, Scorer


def complete(values: Mapping[str, str], scorer: Scorer) -> tuple[dict[str, Decimal], list[str]]:
    """The values with what is missing at the scale's minimum, and which indicators those are."""
    assumed = scorer.missing(values)
    numbers = {item: Decimal(value) for item, value in values.items()}
    return numbers | dict.fromkeys(assumed, scorer.lowest), assumed


def what_if(values: Mapping[str, str], changes: Mapping[str, str], scorer: Scorer) -> understanding_pb2.WhatIfResponse:
    """Before, after, and every single step from there, largest gain first."""
    before = scorer.score(complete(values, scorer)[0])
    changed, assumed = complete({**values, **changes}, scorer)
    after = scorer.score(changed)
    return understanding_pb2.WhatIfResponse(
        before=before.message(),
        after=after.message(),
        difference=written(after.index - before.index),
        gains=_gains(after, changed, scorer),
        assumed=assumed,
    )


def _gains(result: Result, values: Mapping[str, Decimal], scorer: Scorer) -> list[understanding_pb2.StepGain]:
    gains = [(item, gain) for item, gain in scorer.marginal(values).items() if gain.step]
    # A stable sort: equal gains stay in the instrument's order.
    gains.sort(key=lambda pair: -pair[1].step)
    return [
        understanding_pb2.StepGain(
            indicator=item,
            to=f"{scorer.next_step(result.items[item]):f}",
            gain=written(gain.step, 6),
            index=written(result.index + gain.step),
            gain_to_top=written(gain.top, 6),
            **{"from": f"{result.items[item]:f}"},
        )
        for item, gain in gains
    ]
