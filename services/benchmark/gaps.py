"""What one institution lacks: to the role model, to the targets, and which indicators hold it back most."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from livinglab.benchmark.v1 import service_pb2 as pb

from services.benchmark.instrument import Instrument
from services.benchmark.model import Result, written


def gap(result: Result, role_model: Result | None, targets: Sequence[str], instrument: Instrument) -> pb.GetGapResponse:
    """The whole answer; what concerns the role model stays empty without one."""
    return pb.GetGapResponse(
        index=written(result.index),
        role_model_index=written(role_model.index) if role_model else "",
        role_model_gap=written(role_model.index - result.index) if role_model else "",
        targets=[
            pb.TargetGap(target=target, gap=written(max(Decimal(target) - result.index, Decimal(0))))
            for target in targets
        ],
        indicators=indicator_gaps(instrument, result, role_model),
    )


def indicator_gaps(instrument: Instrument, result: Result, role_model: Result | None) -> list[pb.IndicatorGap]:
    """Index points that each scored item costs, exact until written; the most costly against the top first, equals
    in the instrument's order. An instance that the role model does not have is not compared."""
    values = instrument.counted(result.values)
    shares = instrument.shares(values)
    to_top = {item: shares[item] * Fraction(instrument.maximum - value) for item, value in values.items()}
    learned = instrument.counted(role_model.values) if role_model else {}
    return [
        pb.IndicatorGap(
            indicator=item,
            value=f"{values[item]:f}",
            role_model_value=f"{learned[item]:f}" if item in learned else "",
            to_top=written(to_top[item]),
            to_role_model=written(shares[item] * Fraction(learned[item] - values[item])) if item in learned else "",
        )
        for item in sorted(values, key=lambda item: -to_top[item])
    ]
