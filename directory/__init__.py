"""The official list of Indonesian regions: their codes, names, kinds, provinces and time zones."""

import csv
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


@dataclass(frozen=True, slots=True)
class Region:
    """A province, kabupaten or kota: `kind` is provinsi, kabupaten or kota, `parent` the province's code or empty."""

    code: str
    name: str
    kind: str
    parent: str


@cache
def official_regions() -> Mapping[str, Region]:
    """The 38 provinces, 416 kabupaten and 98 kota by code (Kepmendagri 300.2.2-2138/2025)."""
    with files(__name__).joinpath("regions_id.csv").open(encoding="utf-8") as file:
        return MappingProxyType({row["code"]: Region(**row) for row in csv.DictReader(file)})


def time_zone(code: str) -> str:
    """The IANA zone of a region's clock, by its province; raises KeyError for a code of no province."""
    return _ZONE_OF_PROVINCE[code.split(".", 1)[0]]
