"""Institutions by their codes, and the official list of Indonesian regions with their provinces and time zones."""

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType

# Keppres 41/1987 divides the provinces into three zones; provinces founded since lie within those they came from.
_ZONES = {
    "Asia/Jakarta": "11 12 13 14 15 16 17 18 19 21 31 32 33 34 35 36 61 62",
    "Asia/Makassar": "51 52 53 63 64 65 71 72 73 74 75 76",
    "Asia/Jayapura": "81 82 91 92 93 94 95 96",
}
_ZONE_OF_PROVINCE = {province: zone for zone, provinces in _ZONES.items() for province in provinces.split()}

LONGEST_CODE = 32
# A code stands in subjects, where dots part tokens, and between colons and slashes in ids.
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*")

_CLIPPED_CODE = re.compile(r"[0-9]{2}\.[1-9]")


@dataclass(frozen=True, slots=True)
class Institution:
    """A region (`kind` is provinsi, kabupaten or kota, `parent` the province's code or empty), or one that was
    registered beside them: a country, a city, an agency. `version` counts what was registered of it, from 1 on;
    `withdrawn` says why one was taken out, which then is nobody's."""

    code: str
    name: str
    kind: str
    parent: str
    version: int = 0
    withdrawn: str = ""


@cache
def official_regions() -> Mapping[str, Institution]:
    """The 38 provinces, 416 kabupaten and 98 kota by code (Kepmendagri 300.2.2-2138/2025)."""
    with files(__name__).joinpath("regions_id.csv").open(encoding="utf-8") as file:
        return MappingProxyType(
            {
                row["code"]: Institution(row["code"], row["name"], row["kind"], row["parent"])
                for row in csv.DictReader(file)
            }
        )


def is_code(text: str) -> bool:
    """Whether it has the form of an institution's code: letters, digits, - _ and single dots within."""
    return len(text) <= LONGEST_CODE and _CODE.fullmatch(text) is not None


def unclipped(text: str) -> str:
    """A code as it was before a spreadsheet took it for a number: 32.1 was 32.10."""
    return text + "0" if _CLIPPED_CODE.fullmatch(text) else text


def time_zone(code: str) -> str:
    """The IANA zone of a region's clock, by its province; raises KeyError for a code of no province."""
    return _ZONE_OF_PROVINCE[code.split(".", 1)[0]]
