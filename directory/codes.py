"""Codes of institutions as people and spreadsheets write them, and what has replaced codes that are no longer used."""

import csv
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from directory import Institution, official_regions, unclipped

# A spreadsheet in Indonesia writes a code that it took for a number with a comma, and a column of them with two places.
_WITH_COMMA = re.compile(r"[0-9]{2},[0-9]{1,2}")
_PROVINCE_WITH_PLACES = re.compile(r"([0-9]{2})\.00?")
# As the statistics office writes them: 3211.
_WITHOUT_POINT = re.compile(r"([0-9]{2})([0-9]{2})")
# The provinces of Papua as the statistics office (BPS) numbers them, by their codes here.
_STATISTICS = {"91": "92", "92": "96", "94": "91", "95": "93", "96": "94", "97": "95"}


@dataclass(frozen=True, slots=True)
class Successor:
    """What a code that is no longer given became: the same body under another province's code."""

    code: str
    since: int
    source: str


@cache
def succession() -> Mapping[str, Successor]:
    """By the code of before: what was given to regions of Papua until 2022 and of Kalimantan Timur until 2012."""
    return MappingProxyType(
        {row["code"]: Successor(row["became"], int(row["since"]), row["source"]) for row in _data("succession_id.csv")}
    )


@cache
def founded() -> Mapping[str, tuple[int, str]]:
    """The provinces that are younger than the results that are kept of them: the year and the law."""
    return MappingProxyType({row["code"]: (int(row["since"]), row["source"]) for row in _data("founded_id.csv")})


def _data(name: str) -> list[dict[str, str]]:
    with files("directory").joinpath(name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def code_of(text: str) -> str:
    """The code that is meant: 32,1 and 32.1 are 32.10, 32,00 is 32, 91.01 is 93.01 since 2022. What is no such form
    stays as it is."""
    return current(as_written(text))


def as_written(text: str) -> str:
    """The code before any succession: as it was before a spreadsheet took it for a number."""
    joined = "".join(text.split()).lstrip("'")
    code = joined if joined[:1].isdigit() else text.strip()
    if _WITH_COMMA.fullmatch(code):
        code = code.replace(",", ".")
    province = _PROVINCE_WITH_PLACES.fullmatch(code)
    return province[1] if province else unclipped(code)


def current(code: str) -> str:
    """The code that the body has now."""
    later = succession().get(code)
    return later.code if later else code


def told(text: str) -> str:
    """What to say of a code that is read as another one; empty where it is read as it stands."""
    later = succession().get(as_written(text))
    if later is None:
        return ""
    name = official_regions()[later.code].name
    return f"{as_written(text)} is {later.code} {name} since {later.since} ({later.source})"


def unknown(text: str, known: Mapping[str, Institution] | Collection[str]) -> str:
    """Why a code is not taken, with the one that may be meant."""
    code = code_of(text)
    shown = text if len(text) <= 60 else text[:59] + "…"
    meant = _meant(code, known)
    name = official_regions()[meant].name if meant in official_regions() else ""
    hint = f": is it {meant} {name}".rstrip() + "?" if meant else ""
    return f"institution '{shown}' is not known{hint}"


def _meant(code: str, known: Mapping[str, Institution] | Collection[str]) -> str:
    if code in known:
        return code
    if code in _STATISTICS and _STATISTICS[code] in known:
        return _STATISTICS[code]
    parts = _WITHOUT_POINT.fullmatch(code)
    if parts and (dotted := current(f"{parts[1]}.{parts[2]}")) in known:
        return dotted
    letters = {one.lower(): one for one in known if not one[0].isdigit()} if not code[:1].isdigit() else {}
    close = get_close_matches(code.lower(), letters, 1, 0.75)
    return letters[close[0]] if close else ""


def is_of_statistics(code: str) -> bool:
    """Whether only the statistics office has such a code."""
    return code in _STATISTICS and code not in official_regions()


def too_early(code: str, year: int) -> str:
    """Why a province has no result of that year: it was founded later. Then the code is likely the statistics office's,
    which numbers the provinces of Papua otherwise."""
    if code not in founded() or year >= founded()[code][0]:
        return ""
    since, law = founded()[code]
    regions = official_regions()
    reason = f"{code} is {regions[code].name}, founded in {since} ({law})"
    if code in _STATISTICS:
        meant = _STATISTICS[code]
        reason += f"; the statistics office writes {code} for {regions[meant].name}, which is {meant} here"
    return reason


def doubtful(code: str) -> str:
    """Why a province's code is not taken beside others that are the statistics office's; empty where that office has
    no other province under it."""
    if code not in _STATISTICS or code not in official_regions():
        return ""
    regions, meant = official_regions(), _STATISTICS[code]
    return (
        f"{code} is {regions[code].name}, and for the statistics office, whose codes this file seems to have, "
        f"{regions[meant].name}: give a column name, or write {meant} if that is meant"
    )
