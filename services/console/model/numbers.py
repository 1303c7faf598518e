"""Numbers and periods as people of each language write them. Services send decimals as text, with a point."""

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

_MINUS = "\u2212"


def number(text: str, language: str) -> str:
    """3.84 is 3,84 in Indonesian; what is no number stays as it is."""
    return text.replace(".", ",") if language == "id" and decimal(text) is not None else text


def decimal(text: str) -> Decimal | None:
    """None where it is no finite number."""
    try:
        found = Decimal(text)
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def signed(text: str, language: str) -> str:
    """+0,12, −0,10, 0; empty stays empty."""
    found = decimal(text)
    if found is None:
        return ""
    sign = "+" if found > 0 else _MINUS if found < 0 else ""
    return sign + number(str(abs(found)), language)


def two_digits(value: Decimal) -> str:
    """Rounded half up, as every official index is."""
    return str(value.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP))


def counted(count: int, language: str) -> str:
    """1.234 in Indonesian, 1,234 in English."""
    text = f"{count:,}"
    return text.replace(",", ".") if language == "id" else text


def mean(values: list[Decimal]) -> str:
    """Of the two-digit indices; empty without any."""
    return two_digits(sum(values, Decimal()) / len(values)) if values else ""
