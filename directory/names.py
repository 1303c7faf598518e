"""Compares an institution's name, as people write it, with the name that belongs to its code."""

import re
from collections.abc import Mapping
from difflib import SequenceMatcher
from functools import cache

from directory import Institution, official_regions

# Words for the kind of a region, and how they are shortened.
_KINDS = {
    "kabupaten": "kabupaten",
    "kab": "kabupaten",
    "pemkab": "kabupaten",
    "kota": "kota",
    "pemkot": "kota",
    "kotamadya": "kota",
    "provinsi": "provinsi",
    "prov": "provinsi",
    "propinsi": "provinsi",
    "pemprov": "provinsi",
}
_EMPTY = {"pemerintah", "daerah", "adm", "administrasi"}
# What stands before a name, as it was or is shortened, and other names of provinces.
_SAME = {
    "dki jakarta": "jakarta",
    "khusus ibukota jakarta": "jakarta",
    "khusus jakarta": "jakarta",
    "dkj": "jakarta",
    "dk jakarta": "jakarta",
    "di yogyakarta": "istimewa yogyakarta",
    "d i yogyakarta": "istimewa yogyakarta",
    "diy": "istimewa yogyakarta",
    "nanggroe aceh darussalam": "aceh",
    "nad": "aceh",
    "di aceh": "aceh",
    "bangka belitung": "kepulauan bangka belitung",
}
# Another spelling: Pakpak Barat and Pakpak Bharat, Fakfak and Fak Fak.
_ALIKE = 0.9
_WORD = re.compile(r"[^\W_]+")


def name_fault(code: str, name: str, known: Mapping[str, Institution]) -> str:
    """Why the name is not that of the code's institution; empty where it is, where there is no name, and where it is
    neither that one's nor any other's that is in the official list."""
    institution = known.get(code)
    if institution is None or not name.strip():
        return ""
    kind, plain = _parts(name)
    own_kind, own = _parts(institution.name)
    own_kind = own_kind or institution.kind
    if plain == own and kind in ("", own_kind):
        return ""
    others = [other for other in _by_name().get(plain, ()) if kind in ("", official_regions()[other].kind)]
    shown = name if len(name) <= 60 else name[:59] + "…"
    if others:
        meant = " or ".join(f"{other} {official_regions()[other].name}" for other in others[:3])
        return f"{code} is {institution.name}, and '{shown}' is {meant}"
    alike = SequenceMatcher(None, plain, own).ratio() >= _ALIKE and kind in ("", own_kind)
    if alike or code not in official_regions():
        return ""
    return f"{code} is {institution.name}, and the name says '{shown}'"


@cache
def _by_name() -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for code, region in official_regions().items():
        found.setdefault(_parts(region.name)[1], []).append(code)
    return found


@cache
def _parts(name: str) -> tuple[str, str]:
    """The kind that a name says, and the name without it, its blanks and its marks."""
    words = [word for word in _WORD.findall(name.lower()) if word not in _EMPTY]
    kind = _KINDS.get(words[0], "") if words else ""
    rest = " ".join(words[1:] if kind else words)
    return kind, _SAME.get(rest, rest).replace(" ", "")
