"""The official regions are all there, each under its province and in its time zone."""

from collections import Counter
from dataclasses import FrozenInstanceError
from zoneinfo import ZoneInfo

import pytest

from directory import Institution, official_regions, time_zone


def test_every_province_kabupaten_and_kota_is_listed() -> None:
    kinds = Counter(region.kind for region in official_regions().values())
    assert kinds == {"provinsi": 38, "kabupaten": 416, "kota": 98}


def test_a_region_lies_in_the_province_that_its_code_names() -> None:
    regions = official_regions()
    for code, region in regions.items():
        assert region.code == code
        if region.kind == "provinsi":
            assert region.parent == ""
        else:
            assert regions[region.parent].kind == "provinsi"
            assert code.startswith(f"{region.parent}.")


def test_a_kabupaten_or_kota_is_named_as_people_write_it() -> None:
    regions = official_regions()
    assert regions["32.11"] == Institution(code="32.11", name="Kabupaten Sumedang", kind="kabupaten", parent="32")
    assert regions["51.71"] == Institution(code="51.71", name="Kota Denpasar", kind="kota", parent="51")
    for region in regions.values():
        assert region.kind == "provinsi" or region.name.startswith(f"{region.kind.capitalize()} ")


def test_no_name_stands_for_two_regions_of_a_kind() -> None:
    names = Counter((region.kind, region.name) for region in official_regions().values())
    assert [name for name, count in names.items() if count > 1] == []


def test_every_region_has_a_time_zone_that_exists() -> None:
    for code in official_regions():
        ZoneInfo(time_zone(code))


@pytest.mark.parametrize(
    ("code", "zone"),
    [
        ("32.11", "Asia/Jakarta"),
        ("61", "Asia/Jakarta"),
        ("62.71", "Asia/Jakarta"),
        ("63", "Asia/Makassar"),
        ("65", "Asia/Makassar"),
        ("51.71", "Asia/Makassar"),
        ("82.71", "Asia/Jayapura"),
        ("93.01", "Asia/Jayapura"),
        ("96.71", "Asia/Jayapura"),
    ],
)
def test_a_region_keeps_the_time_of_its_province(code: str, zone: str) -> None:
    assert time_zone(code) == zone


def test_a_code_of_no_province_has_no_time_zone() -> None:
    with pytest.raises(KeyError):
        time_zone("99.01")


def test_the_official_list_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        official_regions()["99"] = official_regions()["32"]  # type: ignore[index]
    with pytest.raises(FrozenInstanceError):
        official_regions()["32"].name = "Sunda"  # type: ignore[misc]
