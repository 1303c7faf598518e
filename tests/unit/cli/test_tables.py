"""Tables and sentences fit the terminal of whoever reads them, and nothing of them is cut away."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.race.ranking import _HEADED, _SPARE
from cli.speak import output, sentences, tables
from directory import official_regions

LONGEST = max((region.name for region in official_regions().values()), key=len)
WORDS = st.text(alphabet=string.ascii_letters + string.digits + "-:.@", min_size=1, max_size=40)
TEXTS = st.lists(WORDS, max_size=6).map(" ".join)


@pytest.fixture(autouse=True)
def _eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


@given(st.integers(1, 9).flatmap(lambda n: st.lists(st.lists(TEXTS, min_size=n, max_size=n), min_size=1, max_size=5)))
def test_whatever_stands_in_a_table_no_line_is_wider_and_no_word_is_cut(rows: list[list[str]]) -> None:
    columns = [f"c{at}" for at in range(len(rows[0]))]
    if (widths := tables.widths(columns, rows, 80)) is not None:
        assert sum(widths) + 3 * len(widths) + 1 <= 80
        for row in rows:
            assert all(len(w) <= width for cell, width in zip(row, widths, strict=True) for w in cell.split())
        return
    lines = tables.records(columns, rows, 80)
    assert max(map(len, lines)) <= 80
    told = " ".join(lines).split()
    assert all(word in " ".join(told) for row in rows for cell in row for word in cell.split())


def test_the_ranking_of_the_longest_names_fits_eighty_columns(capsys: pytest.CaptureFixture[str]) -> None:
    row = ["514", "71.09", LONGEST, "3.84", "3.84", "Sangat Baik", "+12", "0.11", "99.81", "0.02"]
    output.table(_HEADED, [row, [*row[:-1], ""]], "By the computed index, version 2 of the instrument", spare=_SPARE)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[1].startswith("┏")
    assert all(word in " ".join(lines) for word in [*LONGEST.split(), "3.84", "+12", "71.09", "Sangat"])


def test_an_id_can_be_copied_from_a_table_that_has_no_room(capsys: pytest.CaptureFixture[str]) -> None:
    message = "01a21dcc-0bc2-71ac-8ccf-8ad98bcf44d1"
    row = [
        message,
        "invitation",
        "33.01",
        "kepala.diskominfo@kabupaten-banyumas.example",
        "failed",
        "3",
        "550 no such user",
    ]
    output.table(["id", "template", "institution", "to", "state", "attempts", "last_error"], [row])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == message
    assert max(map(len, lines)) <= 80
    assert "550 no such user" in " ".join(lines)


def test_a_sentence_ends_its_lines_between_words(capsys: pytest.CaptureFixture[str]) -> None:
    output.say("  " + "kabupaten " * 20)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert [line.strip().split()[0] for line in lines] == ["kabupaten"] * len(lines)


def test_both_languages_say_the_same_of_everything() -> None:
    def filled(text: str) -> set[str]:
        return {field for _, field, _, _ in string.Formatter().parse(text) if field}

    assert {
        name for name, (indonesian, english) in sentences._SENTENCES.items() if filled(indonesian) != filled(english)
    } == set()
