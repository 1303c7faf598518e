"""The 38 provinces as tiles: one square each, roughly where it lies, so that small ones are seen too."""

from collections.abc import Mapping
from decimal import Decimal

# Province: letters of ISO 3166-2:ID, column and row from the north-west.
TILES: Mapping[str, tuple[str, int, int]] = {
    "11": ("AC", 1, 1),
    "12": ("SU", 2, 2),
    "13": ("SB", 2, 3),
    "14": ("RI", 3, 2),
    "15": ("JA", 3, 3),
    "16": ("SS", 3, 4),
    "17": ("BE", 2, 4),
    "18": ("LA", 3, 5),
    "19": ("BB", 4, 3),
    "21": ("KR", 4, 2),
    "31": ("JK", 3, 6),
    "32": ("JB", 3, 7),
    "33": ("JT", 4, 6),
    "34": ("YO", 4, 7),
    "35": ("JI", 5, 6),
    "36": ("BT", 2, 6),
    "51": ("BA", 6, 6),
    "52": ("NB", 7, 6),
    "53": ("NT", 8, 6),
    "61": ("KB", 5, 2),
    "62": ("KT", 5, 3),
    "63": ("KS", 6, 3),
    "64": ("KI", 6, 2),
    "65": ("KU", 6, 1),
    "71": ("SA", 8, 1),
    "72": ("ST", 7, 2),
    "73": ("SN", 7, 4),
    "74": ("SG", 8, 3),
    "75": ("GO", 7, 1),
    "76": ("SR", 7, 3),
    "81": ("MA", 9, 3),
    "82": ("MU", 9, 2),
    "91": ("PA", 12, 2),
    "92": ("PB", 11, 2),
    "93": ("PS", 12, 4),
    "94": ("PT", 11, 3),
    "95": ("PE", 12, 3),
    "96": ("PD", 10, 2),
}


def province_of(code: str) -> str:
    """The province that a region's code starts with; empty for institutions that lie in none."""
    head = code.partition(".")[0]
    return head if head in TILES else ""


def band(index: Decimal, bounds: list[Decimal]) -> int:
    """Which predicate an index has: 1 for the lowest, at most 5, so that a colour stands for each."""
    place = sum(1 for bound in bounds if index >= bound)
    return min(max(place, 1), 5)


def stylesheet() -> str:
    """Where each tile stands. The pages allow no style but that of the file."""
    return "".join(f".t{code}{{grid-area:{row}/{column}}}" for code, (_, column, row) in TILES.items())
