"""The form that single values of a definition and a roster must have: ids, dates, addresses. Each check gives the fault
in words. Pure."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from livinglab.common.v1 import options_pb2

from chassis.errors import Violation

LONGEST_ID = 32
LONGEST_TEXT = 300
LONGEST_NOTE = 1_000
OF_INSTITUTION = (
    options_pb2.ROLE_OPERATOR,
    options_pb2.ROLE_HEAD,
    options_pb2.ROLE_SECRETARY,
    options_pb2.ROLE_REGENT,
)
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_INDEX = re.compile(r"[0-9]{1,3}(\.[0-9]{1,6})?")
_HIGHEST_INDEX = 100
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
LOCAL_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d", re.ASCII)

Faults = Iterator[Violation]


def role_name(role: int) -> str:
    """secretary, head ...; its number where it is none that is known."""
    described = options_pb2.Role.DESCRIPTOR.values_by_number.get(role)
    return described.name.removeprefix("ROLE_").lower() if described else str(role)


ROLES_OF_INSTITUTION = ", ".join(map(role_name, OF_INSTITUTION))


def slug(path: str, value: str, longest: int = LONGEST_ID) -> Faults:
    """An id that can stand in file names, request ids and subjects."""
    if not value:
        yield Violation(path, "is required")
    elif len(value) > longest or not _SLUG.fullmatch(value):
        yield Violation(path, f"must be small letters, digits and dashes, at most {longest}, not {value[:80]!r}")


def text(path: str, value: str) -> Faults:
    """Words for people on one line, which must be there."""
    if not value.strip():
        yield Violation(path, "is required")
    if strays := sorted({character for character in value if unicodedata.category(character) == "Cc"}):
        yield Violation(path, f"must be one line of text, without {', '.join(map(repr, strays[:5]))}")
    yield from long(path, value, LONGEST_TEXT)


def long(path: str, value: str, longest: int) -> Faults:
    """Words that may be missing, up to a length."""
    if len(value) > longest:
        yield Violation(path, f"has {len(value)} characters; at most {longest} are taken")


def unique(what: str, places: Iterable[tuple[str, str]]) -> Faults:
    """Values that must not repeat, each with its place."""
    seen: dict[str, str] = {}
    for path, value in places:
        if value and value in seen:
            yield Violation(path, f"{what} {value} is listed already at {seen[value]}")
        seen.setdefault(value, path)


def day(value: str) -> date | None:
    """2022-11-01 as a date; None for anything else, and for years that no program is in."""
    try:
        found = date.fromisoformat(value) if _DAY.fullmatch(value) else None
    except ValueError:
        return None
    return found if found and 2000 <= found.year <= 2100 else None


def local_time(value: str, zone: ZoneInfo | None) -> datetime | None:
    """2022-11-07T09:00 in a zone; None for anything else."""
    if zone is None or not LOCAL_TIME.fullmatch(value) or day(value[:10]) is None:
        return None
    try:
        return datetime.fromisoformat(value).replace(tzinfo=zone).astimezone(UTC)
    except ValueError:
        return None


def index(value: str) -> Decimal | None:
    """3.5 as an index of some instrument; None for anything else."""
    found = Decimal(value) if _INDEX.fullmatch(value) else None
    return found if found and found <= _HIGHEST_INDEX else None


def time_zone(name: str) -> ZoneInfo | None:
    """A zone of the IANA database; None for anything else."""
    if not re.fullmatch(r"[A-Za-z0-9_+/-]{1,64}", name):
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def no_zone(name: str) -> str:
    """Why that is none."""
    return f"{name[:80]!r} is not a time zone such as Asia/Jakarta" if name else "is required"
