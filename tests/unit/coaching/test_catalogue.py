"""Good practices: what must be there before others copy one, whom it helps, and what comes of copying it."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livinglab.coaching.v1 import practice_pb2 as pb
from livinglab.coaching.v1 import practice_service_pb2 as rpc

from chassis.errors import Kind, Refused
from instruments import instrument_files
from instruments.file import load
from instruments.tree import instrument_of
from services.coaching.model.catalogue import practices, replications

SPBE = instrument_of(load(instrument_files()["spbe-59-2020"].read_bytes()))
SUMEDANG, BANDUNG = "32.11", "32.73"


def saving(**fields: object) -> rpc.SavePracticeRequest:
    whole: dict[str, object] = {
        "institution": SUMEDANG,
        "title": "Satu data desa",
        "summary": "Data desa di satu tempat.",
        "kind": pb.SERVICE_KIND_G2C,
        "instrument": "spbe-59-2020",
        "levels": [pb.PracticeLevel(indicator="3", level="4")],
        "steps": ["Tetapkan wali data"],
        "contact_name": "Diskominfo",
        "contact": "kominfo@sumedang.example",
    }
    return rpc.SavePracticeRequest(**{**whole, **fields})  # type: ignore[arg-type]


def practice(**fields: object) -> pb.Practice:
    return practices.saved(saving(**fields), "p1", None)[0]


def reason(call: Callable[[], object]) -> str:
    with pytest.raises(Refused) as refused:
        call()
    return refused.value.reason


def test_every_fault_of_a_practice_is_named_at_once() -> None:
    levels = [("3", "9"), ("99", "4"), ("5", "3"), ("5", "4"), ("7", "2.5")]
    request = saving(
        institution="11.99",
        levels=[pb.PracticeLevel(indicator=one, level=level) for one, level in levels],
        steps=["Mulai", "  "],
    )
    found = [violation.field for violation in practices.faults(request, {SUMEDANG}, SPBE)]
    assert found[0] == "institution"
    assert {"levels[0].level", "levels[1].indicator", "levels[2].indicator", "levels[3].indicator"} <= set(found)
    assert found[-1] == "steps[1]"
    assert practices.faults(saving(), {SUMEDANG}, SPBE) == []
    assert [one.field for one in practices.faults(saving(), {SUMEDANG}, None)] == ["instrument"]


@pytest.mark.parametrize("missing", ["summary", "steps", "levels", "contact_name", "contact"])
def test_what_cannot_be_copied_is_not_published(missing: str) -> None:
    draft = practice(**{missing: [] if missing in ("steps", "levels") else ""})
    with pytest.raises(Refused) as refused:
        practices.published(draft)
    assert [violation.field for violation in refused.value.violations] == [missing]
    assert draft.state == pb.PRACTICE_STATE_DRAFT


def test_a_practice_is_published_and_withdrawn_once() -> None:
    one = practice()
    fact = practices.published(one)
    assert fact is not None
    assert (fact.practice_id, fact.meta.version) == ("p1", 2)
    assert practices.published(one) is None
    gone = practices.withdrawn(one, "Sudah tidak dijalankan")
    assert gone is not None
    assert gone.reason == "Sudah tidak dijalankan"
    # The first reason stays, and nothing brings it back.
    assert practices.withdrawn(one, "another") is None
    assert one.reason == "Sudah tidak dijalankan"
    assert reason(lambda: practices.published(one)) == "PRACTICE_WITHDRAWN"
    assert reason(lambda: practices.saved(saving(), "p1", one)) == "PRACTICE_WITHDRAWN"


def test_a_change_of_what_is_published_is_told_and_keeps_it_complete() -> None:
    one = practice()
    practices.published(one)
    one.requested, one.replicated = 5, 2
    changed, fact = practices.saved(saving(title="Satu data"), "p1", one)
    assert (changed.state, changed.etag) == (pb.PRACTICE_STATE_PUBLISHED, "3")
    assert (changed.requested, changed.replicated) == (5, 2)
    assert fact is not None
    assert fact.title == "Satu data"
    assert reason(lambda: practices.saved(saving(steps=[]), "p1", one)) == "INCOMPLETE"
    with pytest.raises(Refused) as stale:
        practices.saved(saving(etag="1"), "p1", one)
    assert stale.value.kind is Kind.ABORTED
    assert reason(lambda: practices.saved(saving(institution=BANDUNG), "p1", one)) == "OTHER_INSTITUTION"
    draft, nothing = practices.saved(saving(title="Lain"), "p1", practice())
    assert (draft.title, draft.etag, nothing) == ("Lain", "2", None)


@given(st.dictionaries(st.sampled_from([str(n) for n in range(1, 48)]), st.integers(1, 5), min_size=47, max_size=47))
def test_who_solved_what_one_lacks_is_worth_something_and_the_most_comes_first(levels: dict[str, int]) -> None:
    values = {number: Decimal(level) for number, level in levels.items()}
    known = []
    for number in ("1", "11", "30", "47"):
        one = practice(levels=[pb.PracticeLevel(indicator=number, level="4")])
        one.id = f"p{number}"
        known.append(one)
    found = practices.matches(SPBE, values, known, 100)
    assert {match.indicator for match in found} == {n for n in ("1", "11", "30", "47") if levels[n] < 4}
    gains = [Decimal(match.gain) for match in found]
    assert gains == sorted(gains, reverse=True)
    assert all(gain >= 0 for gain in gains)
    assert practices.matches(SPBE, values, known, 1) == found[:1]


def asked(institution: str = BANDUNG) -> rpc.RequestReplicationRequest:
    return rpc.RequestReplicationRequest(institution=institution, note="Kami ingin meniru")


def answer(*, accepted: bool, text: str = "") -> rpc.AnswerReplicationRequest:
    return rpc.AnswerReplicationRequest(accepted=accepted, answer=text)


def report(*, replicated: bool, outcome: str = "") -> rpc.ReportReplicationRequest:
    return rpc.ReportReplicationRequest(replicated=replicated, outcome=outcome)


def test_nobody_copies_from_itself_nor_what_is_not_in_the_catalogue() -> None:
    one = practice()
    assert reason(lambda: replications.requested(asked(), one, None)) == "PRACTICE_STATE"
    practices.published(one)
    with pytest.raises(Refused) as own:
        replications.requested(asked(SUMEDANG), one, None)
    assert own.value.kind is Kind.INVALID_ARGUMENT


def test_copying_goes_from_the_question_to_what_came_of_it() -> None:
    one = practice()
    practices.published(one)
    copy, fact = replications.requested(asked(), one, None)
    assert fact is not None
    assert (fact.host, fact.institution, fact.meta.version) == (SUMEDANG, BANDUNG, 1)
    # Asked twice is asked once; told of an end before it was accepted is refused.
    assert replications.requested(asked(), one, copy) == (copy, None)
    assert reason(lambda: replications.reported(copy, report(replicated=True))) == "REPLICATION_STATE"
    with pytest.raises(Refused) as silent:
        replications.answered(copy, answer(accepted=False))
    assert silent.value.violations[0].field == "answer"
    told = replications.answered(copy, answer(accepted=True, text="Silakan"))
    assert told is not None
    assert told.accepted
    assert replications.answered(copy, answer(accepted=True, text="Silakan")) is None
    assert reason(lambda: replications.answered(copy, answer(accepted=False, text="no"))) == "REPLICATION_STATE"
    done = replications.reported(copy, report(replicated=True, outcome="Jalan di 30 desa"))
    assert done is not None
    assert (done.replicated, copy.state, copy.etag) == (True, pb.REPLICATION_STATE_REPLICATED, "3")
    assert replications.reported(copy, report(replicated=True, outcome="Jalan di 30 desa")) is None
    assert reason(lambda: replications.requested(asked(), one, copy)) == "REPLICATION_STATE"


def test_who_was_declined_or_gave_up_may_ask_again() -> None:
    one = practice()
    practices.published(one)
    copy, _ = replications.requested(asked(), one, None)
    replications.answered(copy, answer(accepted=False, text="Belum bisa"))
    again, fact = replications.requested(asked(), one, copy)
    assert fact is not None
    assert (again.state, again.etag) == (pb.REPLICATION_STATE_REQUESTED, "3")
