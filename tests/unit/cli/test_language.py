"""Tables speak the language of whoever reads them; programs read the same JSON in both."""

import pytest
import typer

from cli.speak import language


@pytest.fixture(autouse=True)
def _nothing_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language, "_chosen", [])
    for name in ("LIVINGLAB_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(("locale", "speaks"), [("id_ID.UTF-8", "id"), ("en_US.UTF-8", "en"), ("C.UTF-8", "en")])
def test_the_locale_says_the_language(monkeypatch: pytest.MonkeyPatch, locale: str, speaks: str) -> None:
    monkeypatch.setenv("LANG", locale)
    assert language.language() == speaks


def test_the_projects_own_variable_comes_before_the_locale_and_a_choice_before_both(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LANG", "en_US.UTF-8")
    monkeypatch.setenv("LIVINGLAB_LANG", "id")
    assert language.word("deadline") == "batas waktu"
    language.choose("en")
    assert language.word("deadline") == "deadline"


def test_a_language_that_nobody_has_written_is_refused() -> None:
    with pytest.raises(typer.BadParameter):
        language.choose("fr")


def test_where_only_one_text_is_there_it_is_shown() -> None:
    language.choose("en")
    assert language.either("Lokakarya", "") == "Lokakarya"
    assert language.either("Lokakarya", "Workshop") == "Workshop"
