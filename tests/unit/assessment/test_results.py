"""Rules of earlier results: what rows come to, which limits hold, what a second file adds to a first one."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from livinglab.assessment.v1 import evaluation_pb2, instrument_pb2
from livinglab.assessment.v1 import results_service_pb2 as pb

from chassis.errors import Kind, Refused
from directory import official_regions
from instruments import instrument_files
from instruments.file import load
from instruments.rounding import written
from instruments.scoring import Scorer
from services.assessment.model import results

NOW = datetime(2026, 11, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Edition:
    instrument: instrument_pb2.Instrument
    scorer: Scorer


def edition(name: str) -> Edition:
    instrument = load(instrument_files()[name].read_bytes())
    return Edition(instrument, Scorer(instrument))


EDITIONS = {name: edition(name) for name in instrument_files()}


def gathering(most_rejected: int = 100) -> results.Gathering:
    return results.Gathering(official_regions(), EDITIONS.get, most_rejected)


def row(value: str, indicator: str = "", instrument: str = "spbe-59-2020", stage: str = "publication") -> pb.ImportRow:
    return pb.ImportRow(
        line=2, institution="32.11", instrument=instrument, period="2022", stage=stage, indicator=indicator, value=value
    )


def given_by(*rows: pb.ImportRow) -> results.Given:
    taken = gathering()
    for one in rows:
        taken.add(one)
    (found,) = taken.results()
    assert not taken.rejected
    return found


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "2.5900001",
            "index '2.5900001' has more digits than are taken: 12 before and 6 after the point",
        ),
        ("NaN", "index 'NaN' is not a decimal number"),
        ("6", "index '6' is not between 1 and 5"),
    ],
)
def test_an_index_that_is_not_taken_says_why(text: str, reason: str) -> None:
    taken = gathering()
    taken.add(row(text))
    assert [one.reason for one in taken.rejected] == [reason]


@pytest.mark.parametrize(("text", "kept"), [("3", "3.00"), ("3.8", "3.80"), ("2.605", "2.605"), ("2.6000", "2.60")])
def test_a_published_index_keeps_two_digits_or_as_many_as_were_published(text: str, kept: str) -> None:
    result = results.merged(None, given_by(row(text)), "ani", NOW)
    assert result is not None
    assert result.published_index == kept


@pytest.mark.parametrize("word", ["EM", "self_assessment", "Self-Assessment", "DE", "Int", "published", "publication"])
def test_stages_are_known_by_their_names_and_by_those_of_the_field(word: str) -> None:
    assert given_by(row("3", stage=word)).stage in evaluation_pb2.Stage.values()


def test_one_stage_written_in_two_ways_is_one_result() -> None:
    taken = gathering()
    taken.add(row("3", stage="em"))
    taken.add(row("3", stage="self_assessment"))
    assert taken.results() == []
    assert "given before" in taken.rejected[0].reason


def test_a_file_over_the_limits_is_refused_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "MOST_ROWS", 10)
    taken = gathering(most_rejected=3)
    for _ in range(10):
        taken.add(pb.ImportRow(line=1, unreadable="x"))
    assert (len(taken.rejected), taken.rejected_count) == (3, 10)
    with pytest.raises(Refused) as raised:
        taken.add(row("3"))
    assert raised.value.kind == Kind.RESOURCE_EXHAUSTED


def test_what_a_second_file_does_not_say_stays() -> None:
    items = [row("3", str(n)) for n in range(1, 48)]
    first = results.merged(None, given_by(*items), "ani", NOW)
    second = results.merged(first, given_by(row("2.9")), "budi", NOW)
    assert first is not None
    assert second is not None
    assert (second.score.index, second.published_index, second.difference) == ("3.00", "2.90", "-0.10")
    assert (second.version, len(second.values), second.imported_by) == (2, 47, "budi")
    assert results.merged(second, given_by(row("2.90")), "citra", NOW) is None
    assert results.merged(second, given_by(*items), "citra", NOW) is None


def test_awaited_indicators_may_be_missing_from_a_result() -> None:
    pemdi = EDITIONS["pemdi-8-2026"]
    awaited = {code for code in pemdi.scorer.indicators if code not in pemdi.scorer.missing([])}
    rows = [row("3.5", code, "pemdi-8-2026") for code in pemdi.scorer.indicators if code not in awaited]
    result = results.merged(None, given_by(*rows), "ani", NOW)
    assert result is not None
    assert set(result.score.awaiting) == awaited


@settings(max_examples=50, deadline=None, database=None)
@given(st.lists(st.integers(1, 5), min_size=47, max_size=47), st.permutations(range(47)))
def test_the_computed_index_is_the_scorers_in_any_order_of_rows(levels: list[int], order: list[int]) -> None:
    rows = [row(str(levels[n]), str(n + 1)) for n in order]
    result = results.merged(None, given_by(*rows), "ani", NOW)
    exact = EDITIONS["spbe-59-2020"].scorer.score({str(n + 1): Decimal(level) for n, level in enumerate(levels)})
    assert result is not None
    assert (result.score.index, result.score.predicate) == (written(exact.index), exact.predicate)
    assert results.imported(result).values == result.values


def of(institution: str, period: str = "2021", name: str = "", line: int = 2) -> pb.ImportRow:
    return pb.ImportRow(
        line=line,
        institution=institution,
        instrument="spbe-59-2020",
        period=period,
        stage="publication",
        value="1.90",
        name=name,
    )


def imported(*rows: pb.ImportRow) -> tuple[list[str], list[str]]:
    """Institutions of the results, and the reasons against the other rows."""
    taken = gathering()
    for one in rows:
        taken.add(one)
    return [given.institution for given in taken.results()], [one.reason for one in taken.rejected]


def test_codes_of_before_2022_are_those_that_the_regions_have_now() -> None:
    codes = ["91.01", "92.71", "91.04", "91.03"]
    assert imported(*(of(code) for code in codes)) == (["93.01", "96.71", "94.01", "91.03"], [])


def test_province_codes_of_the_statistics_office_are_not_taken_as_other_provinces() -> None:
    good, reasons = imported(of("94", line=2), of("91", line=3), of("32", line=4))
    assert good == ["32"]
    assert reasons[0].startswith(
        "94 is Papua Tengah, founded in 2022 (UU 15/2022); the statistics office writes 94 for"
    )
    assert reasons[1].startswith("91 is Papua, and for the statistics office, whose codes this file seems to have")


def test_a_name_that_is_another_one_s_refuses_the_row_and_one_that_fits_ends_the_doubt() -> None:
    good, reasons = imported(of("94", "2023", "Papua", 2), of("91", "2023", "Prov. Papua", 3), of("97", "2023", "", 4))
    assert good == ["91"]
    assert reasons[0] == "94 is Papua Tengah, and 'Papua' is 91 Papua"
    assert reasons[1] == "institution '97' is not known: is it 95 Papua Pegunungan?"


@pytest.mark.parametrize(
    ("written", "stage"),
    [("Publikasi", "publication"), ("Penilaian Mandiri (EM)", "self_assessment"), ("DE", "document")],
)
def test_a_stage_is_read_in_the_language_of_the_field(written: str, stage: str) -> None:
    assert given_by(row("3", stage=written)).id.endswith(f":{stage}")
