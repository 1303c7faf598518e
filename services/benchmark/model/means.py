"""The exact mean of many fractions."""

from collections.abc import Iterable
from fractions import Fraction


def mean(values: Iterable[Fraction]) -> Fraction:
    """Exact; what has the same denominator is added up as whole numbers. ValueError without any."""
    totals: dict[int, int] = {}
    count = 0
    for value in values:
        totals[value.denominator] = totals.get(value.denominator, 0) + value.numerator
        count += 1
    if not count:
        raise ValueError("nothing has no mean")
    return sum((Fraction(total, denominator) for denominator, total in totals.items()), Fraction(0)) / count
