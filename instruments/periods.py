"""Periods that results are about: a year, or a half, quarter or month of one, by the calendar.

`2022` is a year; `2022-H1`, `2022-Q3` and `2022-M05` (or `2022-05`) say what part they are. `2022-1` is the first of
some parts: which ones is seen from its race, where a whole year of them is there with another year beside it."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from livinglab.assessment.v1 import instrument_pb2 as pb

from chassis.forms.periods import EXAMPLES, is_period

_PARTS = {"H": 2, "Q": 4, "M": 12}
# As people write them beside the one form: semester and triwulan, years in front or behind.
_WORDS = {"S": "H", "SEM": "H", "SEMESTER": "H", "T": "Q", "TW": "Q", "TRIWULAN": "Q", "K": "Q", "KUARTAL": "Q"}
_WORDS |= {"H": "H", "Q": "Q", "M": "M"}
_SPOKEN = re.compile(r"([A-Z]+)[ .-]*([0-9]{1,2}|I{1,3}V?|IV)")
_ROMAN = {"I": "1", "II": "2", "III": "3", "IV": "4"}
_NAMES = {1: "years", 2: "halves", 4: "quarters", 12: "months"}


@dataclass(frozen=True, slots=True)
class Period:
    """A year and which part of it: the `part`-th of `parts`. No part is the whole year (`parts` is 1); where the period
    does not say of how many, `parts` is 0."""

    year: int
    part: int = 0
    parts: int = 1


@lru_cache(maxsize=4096)
def parse(text: str) -> Period:
    """ValueError where it has not the form of a period."""
    if not is_period(text):
        raise ValueError(f"period '{text[:60]}' is not {EXAMPLES}")
    year, _, part = text.partition("-")
    if not part:
        return Period(int(year))
    if part[0] in _PARTS:
        return Period(int(year), int(part[1:]), _PARTS[part[0]])
    number = int(part)
    # Two digits are a month as the calendar of computers writes it; so is whatever no quarter can be.
    return Period(int(year), number, 12 if 1 <= number <= 12 and (len(part) == 2 or number > 4) else 0)


def as_written(text: str) -> str:
    """The one form of what people write: Semester 1 2022 and 2022-s1 are 2022-H1. What is no period stays as it is."""
    plain = " ".join(text.upper().split())
    if is_period(plain):
        return plain
    years = re.findall(r"(?<![0-9])(?:19|20)[0-9]{2}(?![0-9])", plain)
    if len(years) != 1:
        return text
    rest = plain.replace(years[0], " ").strip(" .-/")
    found = _SPOKEN.fullmatch(rest)
    if not found or found[1] not in _WORDS:
        return text
    number = _ROMAN.get(found[2], found[2])
    letter = _WORDS[found[1]]
    written = f"{years[0]}-{letter}{int(number):02}" if letter == "M" else f"{years[0]}-{letter}{number.lstrip('0')}"
    return written if number.isdecimal() and is_period(written) else text


def order(text: str) -> tuple[int, Fraction, int]:
    """A key that sorts periods by when they end, the part before the whole year; those that do not say their kind lie
    within their year by their number."""
    period = parse(text)
    if period.parts:
        return period.year, Fraction(period.part or 1, period.parts), period.parts == 1
    return period.year, Fraction(period.part, 100), 0


def sort_key(text: str) -> int:
    """The same order as one number, to be stored and sorted by; up to a hundred within a year."""
    year, ended, whole = order(text)
    return year * 100 + (99 if whole else int(ended * 98))


def kind(texts: Collection[str]) -> tuple[int, str]:
    """How many of these periods make a year, which has to be one number for all; else 0 with the reason. Periods such
    as 2022-1 are of the kind that a whole year of them shows: 1 and 2 alone are halves, 1 to 4 quarters, 1 to 12
    months."""
    unsaid = [text for text in texts if not parse(text).parts]
    shown = _shown(texts)
    kinds = {parse(text).parts or shown for text in texts}
    if len(kinds) == 1 and 0 not in kinds:
        return kinds.pop(), ""
    if unsaid and not shown:
        first = min(unsaid, key=order)
        return 0, f"{first} does not say what part of a year it is: write {_ways(first)}"
    return 0, f"{' and '.join(_NAMES[parts] for parts in sorted(kinds))} are not one kind of period"


def alike(one: str, texts: Collection[str]) -> tuple[int, list[str], str]:
    """How many of `one`'s kind make a year, and those of the texts that are of that kind; 0, none and the reason where
    that cannot be seen."""
    shown = _shown({one, *texts})
    parts = parse(one).parts or shown
    if not parts:
        return 0, [], kind([one])[1]
    return parts, [text for text in texts if (parse(text).parts or shown) == parts], ""


def words(parts: int) -> str:
    """What periods of that kind are called: halves."""
    return _NAMES[parts]


def _ways(text: str) -> str:
    period = parse(text)
    ways = [f"{period.year}-H{period.part}"] if 1 <= period.part <= 2 else []
    ways += [f"{period.year}-Q{period.part}"] if 1 <= period.part <= 4 else []
    ways += [f"{period.year}-M{period.part:02}"] if 1 <= period.part <= 12 else []
    return " or ".join(ways) or "a half, quarter or month"


def _shown(texts: Iterable[str]) -> int:
    """Of what kind periods such as 2022-1 are beside these: what a whole year of them shows, with more years beside it
    that have no other parts; 0 where nothing shows it."""
    by_year: dict[int, set[int]] = {}
    for text in set(texts):
        period = parse(text)
        if period.parts == _PARTS["M"] and "M" not in text:
            # Months of two digits, or above four, stand beside those of one.
            return _PARTS["M"]
        if not period.parts:
            by_year.setdefault(period.year, set()).add(period.part)
    if len(by_year) < 2:
        return 0
    every = set().union(*by_year.values())
    for parts in (2, 4):
        whole = set(range(1, parts + 1))
        if every <= whole:
            return parts if whole in by_year.values() else 0
    return 0


def position(text: str, parts: int) -> Fraction:
    """The end of a period on the line of years, where a year lies at its own number; `parts` is how many of them make a
    year where the period does not say: of halves 2022-1 lies at 2021.5 and 2022-2 at 2022."""
    period = parse(text)
    of = period.parts or parts
    return Fraction(period.year - 1) + Fraction(period.part or of, of)


def at(place: Fraction, parts: int) -> str:
    """The period of that kind that ends there."""
    year, part = divmod(int(place * parts) - 1, parts)
    return f"{year + 1}" if parts == 1 else f"{year + 1}-{part + 1}"


def step(parts: int) -> Fraction:
    """The length of such a period in years."""
    return Fraction(1, parts)


def out_of_force(instrument: pb.Instrument, period: str) -> str:
    """Why an instrument is doubtful for a period, whose year lies outside its own; empty where it is not."""
    year, first, last = int(period[:4]), instrument.valid_from, instrument.valid_to
    if (not first or year >= first) and (not last or year <= last):
        return ""
    years = f"from {first}" if not last else f"until {last}" if not first else f"from {first} to {last}"
    return f"{instrument.id} was in force {years}, the period is {period}"
