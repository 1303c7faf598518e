"""How evidence grows: when a new piece is refused, which revision it is, and how two of them differ."""

from datetime import date
from typing import Any

import pytest
from livinglab.assessment.v1 import evidence_care_service_pb2 as rpc
from livinglab.assessment.v1 import evidence_pb2 as pb

from chassis.errors import Kind, Refused
from services.assessment.model import revisions

SUMEDANG, GARUT = "32.11", "32.05"
TODAY = date(2022, 6, 1)


def piece(**fields: Any) -> pb.Evidence:
    known: dict[str, Any] = {"id": "e1", "institution": SUMEDANG, "revision": 1, "document_date": "2022-03-01"}
    return pb.Evidence(**known | fields)


def new(**fields: Any) -> rpc.NoteLinkRequest:
    """What is said of a piece that comes in."""
    return rpc.NoteLinkRequest(**({"institution": SUMEDANG, "document_date": "2022-03-01"} | fields))


def faults(**fields: Any) -> list[str]:
    return [str(fault) for fault in revisions.faults(new(**fields), TODAY)]


def test_a_piece_without_end_that_revises_none_has_no_fault() -> None:
    assert faults() == []


def test_a_document_may_be_of_tomorrow_since_the_east_is_ahead_and_not_of_the_day_after() -> None:
    assert faults(document_date="2022-06-02") == []
    assert faults(document_date="2022-06-03") == ["document_date: is in the future"]


def test_a_piece_may_end_on_the_day_of_the_document_and_not_before() -> None:
    assert faults(valid_until="2022-03-01") == []
    assert faults(valid_until="2022-02-28") == ["valid_until: is before the day of the document, 2022-03-01"]


@pytest.mark.parametrize("change", ["", "  \n"])
def test_a_revision_says_what_is_other_than_before(change: str) -> None:
    expected = ["change: is required: say what is other than in the revision before"]
    assert faults(revises="e1", change=change) == expected


def test_a_change_needs_a_piece_that_it_is_of() -> None:
    assert faults(change="signed") == ["change: is of a revision, and no piece is named that it revises"]


def test_a_revision_with_its_change_has_no_fault() -> None:
    assert faults(revises="e1", change="signed") == []


def test_every_fault_of_a_piece_is_named_at_once() -> None:
    found = faults(document_date="2022-07-01", valid_until="2022-06-30", revises="e1")
    assert [fault.partition(":")[0] for fault in found] == ["document_date", "valid_until", "change"]


def test_the_newest_revision_is_followed_by_the_next_number() -> None:
    assert revisions.require_revisable(piece(revision=3), new(revises="e1", change="signed")) == 4


def test_nobody_revises_what_belongs_to_another_institution() -> None:
    with pytest.raises(Refused) as refused:
        revisions.require_revisable(piece(institution=GARUT), new(revises="e1", change="signed"))
    assert refused.value.kind is Kind.INVALID_ARGUMENT
    assert [str(fault) for fault in refused.value.violations] == ["revises: is a piece of 32.05"]


def test_a_piece_is_revised_once_and_then_its_revision_is() -> None:
    with pytest.raises(Refused, match="revise e2") as refused:
        revisions.require_revisable(piece(revised_by="e2"), new(revises="e1", change="signed"))
    assert (refused.value.kind, refused.value.reason) == (Kind.FAILED_PRECONDITION, "REVISED")


def test_of_somebody_elses_piece_it_is_not_said_whether_there_is_a_newer_one() -> None:
    with pytest.raises(Refused) as refused:
        revisions.require_revisable(piece(institution=GARUT, revised_by="e2"), new(revises="e1", change="signed"))
    assert "e2" not in str(refused.value)


def test_the_first_revision_differs_from_nothing() -> None:
    [only] = revisions.compared([piece(title="Decree")])
    assert (only.evidence.id, list(only.changed)) == ("e1", [])


def test_each_revision_names_what_is_other_than_in_the_one_before_it() -> None:
    chain = [
        piece(title="Decree", sha256="aa", size=1),
        piece(id="e2", revision=2, title="Decree", sha256="bb", size=1, valid_until="2023-12-31"),
        piece(id="e3", revision=3, title="Decree, signed", sha256="bb", size=1, valid_until="2023-12-31"),
    ]
    found = [list(one.changed) for one in revisions.compared(chain)]
    assert found == [[], ["sha256", "valid_until"], ["title"]]


def test_what_each_revision_has_of_its_own_is_no_difference() -> None:
    chain = [piece(revised_by="e2"), piece(id="e2", revision=2, revises="e1", change="signed", uploaded_by="ani")]
    assert [list(one.changed) for one in revisions.compared(chain)] == [[], []]


def test_no_revisions_compare_to_nothing() -> None:
    assert revisions.compared([]) == []


def warned(valid_until: str, day: date) -> list[tuple[str, str, int, str]]:
    found = revisions.warning(piece(valid_until=valid_until), "12", 3, day)
    return [(one.rule, one.indicator, one.level, one.message) for one in found]


def test_a_piece_holds_on_its_last_day_and_no_longer() -> None:
    assert warned("2022-12-31", date(2022, 12, 31)) == []
    message = "evidence e1 was valid until 2022-12-31"
    assert warned("2022-12-31", date(2023, 1, 1)) == [(revisions.VALIDITY, "12", 3, message)]


def test_a_piece_without_a_last_day_always_holds() -> None:
    assert warned("", date(2099, 1, 1)) == []


def test_a_new_piece_is_told_with_what_it_revises() -> None:
    fact = revisions.uploaded(piece(id="e2", content_type=pb.CONTENT_TYPE_PDF, size=9, revises="e1"))
    assert (fact.evidence_id, fact.institution, fact.revises_evidence_id) == ("e2", SUMEDANG, "e1")
    assert (fact.content_type, fact.size) == (pb.CONTENT_TYPE_PDF, 9)


def test_facts_of_one_piece_are_told_in_the_order_of_its_versions() -> None:
    held = piece(valid_until="2023-12-31")
    told = [revisions.uploaded(held).meta, revisions.validity_changed(held, 2).meta, revisions.expiring(held, 3).meta]
    assert [(meta.aggregate_id, meta.version) for meta in told] == [("file:e1", n) for n in (1, 2, 3)]


def test_another_last_day_is_told_with_whose_it_is() -> None:
    fact = revisions.validity_changed(piece(valid_until="2023-12-31"), 2)
    assert (fact.institution, fact.evidence_id, fact.valid_until) == (SUMEDANG, "e1", "2023-12-31")


@pytest.mark.parametrize(
    ("named", "shown"),
    [
        ({"title": "Decree", "file_name": "sk.pdf"}, "Decree"),
        ({"file_name": "sk.pdf"}, "sk.pdf"),
        ({"link": "https://sumedang.example"}, "https://sumedang.example"),
    ],
)
def test_what_ends_soon_is_named_as_well_as_it_can_be(named: dict[str, str], shown: str) -> None:
    fact = revisions.expiring(piece(valid_until="2022-06-30", **named), 2)
    assert (fact.institution, fact.title, fact.valid_until) == (SUMEDANG, shown, "2022-06-30")
