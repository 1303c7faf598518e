"""Half-up rounding, the one way in which figures are shown; and numbers as a spreadsheet holds them."""

from decimal import Decimal
from fractions import Fraction

from chassis.tables import number
from instruments.scale import DECIMAL_PLACES

# A number of more digits than this comes from no spreadsheet.
_LONGEST = 20


def rounded(value: Fraction | Decimal, digits: int = 2) -> Decimal:
    """The value rounded half up (away from zero), with exactly that many digits after the point."""
    exact, unit = Fraction(value), 10**digits
    count = (2 * abs(exact.numerator) * unit + exact.denominator) // (2 * exact.denominator)
    return Decimal(-count if exact < 0 else count).scaleb(-digits)


def written(value: Fraction | Decimal, digits: int = 2) -> str:
    """The rounded value as text, 2.64; never in powers of ten, and no minus before a zero."""
    return f"{rounded(value, digits):f}"


def as_taken(text: str) -> str:
    """A level or an index as it is kept: of what a spreadsheet computed, 2.6382978723404253, the first six places. What
    is no number stays as it is, for its reader to name."""
    plain = number(text)
    places = len(plain.partition(".")[2])
    if places <= DECIMAL_PLACES or len(plain) > _LONGEST or plain.strip("-0123456789.") or plain.count(".") != 1:
        return plain
    return written(Decimal(plain), DECIMAL_PLACES).rstrip("0").rstrip(".")
