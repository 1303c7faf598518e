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


def test_every_state_and_role_that_a_region_sees_has_its_indonesian_word() -> None:
    from livinglab.coaching.v1 import coaching_pb2
    from livinglab.common.v1 import options_pb2
    from livinglab.notify.v1 import service_pb2 as notify_pb
    from livinglab.program.v1 import cohort_pb2, duty_service_pb2

    enums = (
        cohort_pb2.CohortState,
        cohort_pb2.PhaseState,
        cohort_pb2.ParticipantState,
        cohort_pb2.GateAction,
        duty_service_pb2.OwedState,
        coaching_pb2.SessionState,
        coaching_pb2.PlanState,
        coaching_pb2.ActionState,
        notify_pb.MessageState,
    )
    infixes = ("_STATE_", "_ACTION_")
    named = [name for enum in enums for name, number in enum.items() if number]
    words = {name.rpartition(infix)[2].lower() for name in named for infix in infixes if infix in name}
    words |= {
        name.removeprefix("ROLE_").lower() for name in ("ROLE_OPERATOR", "ROLE_HEAD", "ROLE_SECRETARY", "ROLE_REGENT")
    }
    assert options_pb2.ROLE_REGENT
    assert {word for word in words if word not in language._WORDS} == set()
