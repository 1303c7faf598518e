"""Codes as people write them, what became of old ones, and names held against them."""

import pytest

from directory import official_regions
from directory.codes import code_of, doubtful, founded, succession, told, too_early, unknown
from directory.names import name_fault


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("32.10", "32.10"),
        ("32.1", "32.10"),
        ("32,1", "32.10"),
        ("32,11", "32.11"),
        ("32,00", "32"),
        ("32.0", "32"),
        (" 32 .11", "32.11"),
        ("'32.10", "32.10"),
        ("91.01", "93.01"),
        ("92,71", "96.71"),
        ("91.1", "91.10"),
        ("91.03", "91.03"),
        ("ID-SUMEDANG", "ID-SUMEDANG"),
        ("", ""),
    ],
)
def test_a_code_is_read_as_it_was_before_a_spreadsheet(written: str, meant: str) -> None:
    assert code_of(written) == meant


def test_every_official_code_comes_back_from_a_spreadsheet_that_took_it_for_a_number() -> None:
    for code in official_regions():
        number = float(code)
        short = f"{number:g}"
        assert code_of(short) == code_of(short.replace(".", ",")) == code_of(f"{number:.2f}") == code


def test_every_successor_is_in_the_official_list_and_no_old_code_is() -> None:
    regions = official_regions()
    assert len(succession()) == 31
    assert not succession().keys() & regions.keys()
    assert {later.code for later in succession().values()} == {
        code for code in regions if code[:2] in founded() and "." in code
    }
    assert told("91.01") == "91.01 is 93.01 Kabupaten Merauke since 2022 (UU 14/2022)"
    assert told("32.10") == ""


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("NOWHERE", "institution 'NOWHERE' is not known"),
        ("3211", "institution '3211' is not known: is it 32.11 Kabupaten Sumedang?"),
        ("97", "institution '97' is not known: is it 95 Papua Pegunungan?"),
        ("32.99", "institution '32.99' is not known"),
    ],
)
def test_an_unknown_code_is_told_with_the_one_that_may_be_meant(written: str, reason: str) -> None:
    assert unknown(written, official_regions()) == reason


def test_a_province_has_no_result_from_before_it_was_founded() -> None:
    assert too_early("94", 2022) == too_early("91", 2019) == ""
    assert too_early("94", 2021) == (
        "94 is Papua Tengah, founded in 2022 (UU 15/2022); the statistics office writes 94 for Papua, which is 91 here"
    )
    assert "is Papua, and for the statistics office" in doubtful("91")
    assert doubtful("32") == doubtful("97") == ""


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("32.11", "Kabupaten Sumedang"),
        ("32.11", "KAB. SUMEDANG"),
        ("32.11", "Sumedang"),
        ("32.11", "Pemerintah Daerah Kabupaten Sumedang"),
        ("96.71", "Sorong (Kota)"[:6]),
        ("92.03", "Kab. Fakfak"),
        ("34", "D.I. Yogyakarta"),
        ("31", "DKI Jakarta"),
        ("32", "Provinsi Jawa Barat"),
        ("32.11", ""),
    ],
)
def test_a_name_in_any_of_its_forms_is_the_code_s(code: str, name: str) -> None:
    assert name_fault(code, name, official_regions()) == ""


@pytest.mark.parametrize(
    ("code", "name", "reason"),
    [
        ("94", "Papua", "94 is Papua Tengah, and 'Papua' is 91 Papua"),
        ("91", "Papua Barat", "91 is Papua, and 'Papua Barat' is 92 Papua Barat"),
        ("32.11", "Kab. Bandung", "32.11 is Kabupaten Sumedang, and 'Kab. Bandung' is 32.04 Kabupaten Bandung"),
        ("96.71", "Kab. Sorong", "96.71 is Kota Sorong, and 'Kab. Sorong' is 96.01 Kabupaten Sorong"),
        ("32.11", "Kecamatan Sukses", "32.11 is Kabupaten Sumedang, and the name says 'Kecamatan Sukses'"),
    ],
)
def test_another_name_than_the_code_s_is_told(code: str, name: str, reason: str) -> None:
    assert name_fault(code, name, official_regions()) == reason


def test_every_official_name_is_its_code_s_and_no_other_one_s() -> None:
    for code, region in official_regions().items():
        assert name_fault(code, region.name.upper(), official_regions()) == ""
        other = "32.11" if code != "32.11" else "32.12"
        assert name_fault(other, region.name, official_regions()) != ""
