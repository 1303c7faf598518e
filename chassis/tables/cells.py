"""What stands in one cell: texts, numbers and what keeps a spreadsheet from running them."""

import re
from decimal import Decimal

# What a spreadsheet holds of a number; digits beyond come from binary fractions.
SIGNIFICANT = 15
# A longer number comes from no spreadsheet.
_LONGEST = 32
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")

_SIGNED = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
# What a spreadsheet would take for a formula, the two blanks included that some of them skip.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_GUARD = "'"
# XML 1.0 has no place for these, nor has a line of text.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff\ud800-\udfff]")
_BLANKS = re.compile("[\u00a0\u2007\u202f\u3000]")
_INVISIBLE = re.compile("[\ufeff\u200b]")
# ="32.10" is how some systems keep a spreadsheet from taking a text for a number.
_QUOTED = re.compile(r'="([^"]*)"')
_DECIMAL_COMMA = re.compile(r"-?[0-9]+,[0-9]+")
_SHORTENED = re.compile(r"-?[0-9]+([.,][0-9]+)?[eE][+-]?[0-9]{1,3}")
_THOUSANDS = re.compile(r"[0-9]{1,3}(([.,' ])[0-9]{3})(\2[0-9]{3})*")


def guarded(value: str) -> str:
    """The text so that no spreadsheet runs it; numbers stay numbers. `text` takes it back."""
    value = _CONTROL.sub("", value)
    return _GUARD + value if _runs(value) and not _SIGNED.fullmatch(value) else value


def _runs(value: str) -> bool:
    return value.lstrip(_GUARD).startswith(_FORMULA)


def text(written: str) -> str:
    """What a person means by a cell: without blanks around it (those that do not break a line included), without what
    nobody sees, without the guard of `guarded`."""
    value = _INVISIBLE.sub("", _BLANKS.sub(" ", written)).replace("\r\n", "\n").replace("\r", "\n").strip()
    if value.startswith(_GUARD) and _runs(value):
        return value[1:]
    quoted = _QUOTED.fullmatch(value)
    return quoted[1].strip() if quoted else value


def number(value: str) -> str:
    """A number with a point and at most fifteen significant digits: 3,84 is 3.84, 3.3000000000000003 is 3.3. What is no
    number stays as it is, for its reader to name."""
    plain = value.replace(" ", "").replace("\u2212", "-")
    if _DECIMAL_COMMA.fullmatch(plain):
        plain = plain.replace(",", ".")
    if not NUMBER.fullmatch(plain):
        return value
    return _significant(plain)


def _significant(plain: str) -> str:
    digits = plain.lstrip("-").replace(".", "").lstrip("0")
    if len(digits) <= SIGNIFICANT or "." not in plain or len(plain) > _LONGEST:
        return plain
    exact = Decimal(plain)
    # Half up, as a spreadsheet shows it; a whole part keeps all its digits.
    places = max(0, SIGNIFICANT - 1 - exact.adjusted())
    return written_decimal(exact.quantize(Decimal(1).scaleb(-places), rounding="ROUND_HALF_UP"))


def written_decimal(exact: Decimal) -> str:
    """Without zeros at the end of the fraction, and never as 1E+3."""
    plain = f"{exact:f}"
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def whole(value: str) -> str:
    """A whole number, also with its thousands set apart: 1.305.476 and 1,305,476 are 1305476."""
    plain = re.sub(r"[.,](0+)$", "", value) if re.fullmatch(r"[0-9]+[.,]0{1,2}", value) else value
    return re.sub(r"[.,' ]", "", plain) if _THOUSANDS.fullmatch(plain) else plain


def shortened(value: str) -> bool:
    """Whether a spreadsheet wrote it with an exponent, and so without its last digits: 1,31E+06."""
    return _SHORTENED.fullmatch(value) is not None
