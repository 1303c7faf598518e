"""What each level asks for: sound for every indicator, both languages, and what is missing is a list."""

from functools import cache

import pytest
from livinglab.assessment.v1 import guidance_pb2 as pb
from livinglab.assessment.v1 import instrument_pb2

from instruments import guidance_files, instrument_files
from instruments.file import load
from instruments.guidance import Guides
from instruments.guidance_lint import GuidanceFaults, lint, lint_read, read
from instruments.guidance_lint import load as load_guidance
from instruments.lint import leaves

OFFICIAL = [("spbe-59-2020", 47), ("pemdi-8-2026", 20)]


@cache
def instrument(name: str) -> instrument_pb2.Instrument:
    return load(instrument_files()[name].read_bytes())


@cache
def guidance(name: str) -> pb.Guidance:
    return load_guidance(guidance_files()[name].read_bytes(), instrument(name))


@cache
def guides(name: str) -> Guides:
    return Guides(guidance(name), instrument(name))


@pytest.mark.parametrize(("name", "indicators"), OFFICIAL)
def test_every_level_of_every_official_indicator_has_criteria_and_documents_in_both_languages(
    name: str, indicators: int
) -> None:
    codes = [leaf.number for leaf in leaves(list(instrument(name).nodes))]
    assert len(codes) == indicators
    for code in codes:
        guide = guides(name).of(code)
        assert guide is not None
        assert [level.level for level in guide.levels] == ["1", "2", "3", "4", "5"]
        assert guide.help
        assert guide.source
        for level in guide.levels:
            texts = [text for one in level.criteria for text in (one.text, one.text_en)]
            texts += [text for one in level.documents for text in (one.name, one.name_en)]
            assert len(texts) >= 4, (code, level.level)
            assert all(texts), (code, level.level)
            assert not any("{" in text for text in texts), (code, level.level)
            assert all(text[0].isupper() for text in texts), (code, level.level, texts)


def test_the_words_of_an_indicator_stand_in_its_pattern() -> None:
    guide = guides("spbe-59-2020").of("12")
    assert guide is not None
    assert guide.levels[1].criteria[0].text_en == (
        "The roadmap exists as a formal document, if only with part of the contents"
    )
    assert "tiga tahun terakhir" in guide.levels[3].criteria[0].text
    assert guide.source.endswith("Indikator 12")


def test_what_the_next_level_lacks_is_a_list() -> None:
    needs = guides("spbe-59-2020").needs("1", "3", ["2a", "2b", "3a", "4a"])
    assert (needs.reached, needs.next_level) == ("3", "4")
    assert [one.criterion for one in needs.missing] == ["4b"]
    assert not needs.unmet
    assert len(needs.documents) == 2


def test_a_level_needs_every_criterion_below_it() -> None:
    needs = guides("spbe-59-2020").needs("1", "4", ["2a", "3a", "4a", "4b"])
    assert needs.reached == "1"
    assert [one.criterion for one in needs.unmet] == ["2b"]
    assert needs.next_level == "5"


def test_without_a_word_on_criteria_nothing_is_held_against_an_answer() -> None:
    needs = guides("spbe-59-2020").needs("1", "4", [])
    assert (needs.reached, list(needs.unmet), needs.next_level) == ("", [], "5")


def test_a_decimal_has_reached_the_level_below_it_and_the_top_has_no_next() -> None:
    needs = guides("pemdi-8-2026").needs("1", "2.4", ["2a", "2b"])
    assert (needs.reached, needs.next_level, list(needs.unmet)) == ("2", "3", [])
    top = guides("pemdi-8-2026").needs("1", "5", [])
    assert (top.next_level, list(top.missing)) == ("", [])


@pytest.mark.parametrize(
    ("value", "asked"), [("1", False), ("2.9", False), ("3", True), ("5", True), ("", False), ("x", False)]
)
def test_evidence_is_asked_for_from_the_middle_of_the_scale(value: str, asked: bool) -> None:
    assert guides("pemdi-8-2026").asks_for_evidence(value) is asked


def planted(old: str, new: str) -> list[str]:
    text = guidance_files()["spbe-59-2020"].read_text("utf-8")
    assert old in text
    faults = lint_read(read(text.replace(old, new, 1).encode()), instrument("spbe-59-2020"))
    lines = text.replace(old, new, 1).splitlines()
    assert all(0 < fault.line <= len(lines) for fault in faults)
    return [f"{fault.place}: {fault.reason}" for fault in faults]


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("instrument: spbe-59-2020", "instrument: spbe-5-2018", "instrument: 'spbe-5-2018' is not spbe-59-2020"),
        ("version: 1", "version: 2", "version: 2 is not 1, the version of spbe-59-2020"),
        ("revision: 1", "revision: 0", "revision: is missing, or 0: revisions count from 1"),
        ("    certainty: annex\n", "", "patterns[0].certainty: is missing: annex, material or inferred"),
        ("title_en: Internal policy", "titel_en: x", "patterns[0].titel_en: "),
        ("    title_en: Internal policy\n", "", "patterns[0].title_en: is missing: every text is in both languages"),
        ("      - level: 2\n", "      - level: 7\n", "patterns[0].levels[1].level: 7 is outside the scale, 1 to 5"),
        (
            "          - id: 2b\n",
            "          - id: 2a\n",
            "patterns[0].levels[1].criteria[1].id: '2a' was used before",
        ),
        ("  - indicator: 1\n", "  - indicator: 99\n", "indicators[0].indicator: '99' is no indicator of spbe-59-2020"),
        ("    pattern: policy\n", "    pattern: polcy\n", "indicators[0].pattern: 'polcy' is no pattern of this file"),
        ("      - name: part\n", "      - name: parts\n", "indicators[0].terms[1].name: 'parts' is used nowhere"),
        ("        text_en: the architecture\n", "", "indicators[0].terms[0].text_en: is missing: every text"),
    ],
)
def test_lint_names_what_is_wrong_with_guidance_and_where(old: str, new: str, fault: str) -> None:
    assert any(found.startswith(fault) for found in planted(old, new))


def test_lint_misses_no_level_and_no_indicator() -> None:
    changed = pb.Guidance()
    changed.CopyFrom(guidance("spbe-59-2020"))
    del changed.patterns[0].levels[2]
    del changed.indicators[46]
    del changed.patterns[1].levels[0].criteria[:]
    found = lint(changed, instrument("spbe-59-2020"))
    assert ("patterns[0].levels", "level 3 is missing") in found
    assert ("indicators", "indicator 47 is missing") in found
    assert ("patterns[1].levels[0].criteria", "level 1 has no criterion") in found


def test_guidance_with_faults_does_not_load() -> None:
    with pytest.raises(GuidanceFaults, match="indicator 1 is missing"):
        load_guidance(
            b"instrument: spbe-59-2020\nversion: 1\nrevision: 1\nsource: x\nindicators: [{indicator: 99}]\n",
            instrument("spbe-59-2020"),
        )
