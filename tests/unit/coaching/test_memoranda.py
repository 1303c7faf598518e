"""Agreements between institutions: who may be a party, what a signature binds, and which days end them."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from livinglab.coaching.v1 import memorandum_events_pb2 as events
from livinglab.coaching.v1 import memorandum_pb2 as pb
from livinglab.coaching.v1 import memorandum_service_pb2 as rpc

from chassis.errors import Kind, Refused
from services.coaching.model import memoranda

NOW = datetime(2023, 3, 1, 3, tzinfo=UTC)
TODAY = NOW.date()
KNOWN = {"32.11", "32.04", "73.71"}
PARTIES = ("32.11", "32.04", "Telkom University")


def party(who: str) -> pb.Party:
    known = who[0].isdigit()
    return pb.Party(
        institution=who if known else "", name="" if known else who, signatory=f"Head of {who}", position="Kepala"
    )


def request(*who: str, end_date: str = "2024-12-31", **more: str) -> rpc.SaveMemorandumRequest:
    parties = [party(one) for one in who or PARTIES]
    return rpc.SaveMemorandumRequest(title="Kerja sama", scope="Portal", parties=parties, end_date=end_date, **more)


def draft(*who: str, **more: str) -> pb.Memorandum:
    return memoranda.saved(request(*who, **more), "m-1", None)[0]


def in_force(*who: str, **more: str) -> pb.Memorandum:
    found = draft(*who, **more)
    for one in found.parties:
        memoranda.sign(found, memoranda.called(one), "somebody", NOW)
    return found


def fields(wrong: rpc.SaveMemorandumRequest) -> list[str]:
    return [fault.field for fault in memoranda.faults(wrong, KNOWN, TODAY)]


def test_two_parties_of_which_the_first_is_in_the_directory_may_agree() -> None:
    assert fields(request()) == fields(request("32.11", "ITB")) == []
    memoranda.require_sound(request(), KNOWN, TODAY)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (request("32.11"), ["parties"]),
        (request("ITB", "32.11"), ["parties[0].institution"]),
        (request("32.11", "99.99"), ["parties[1].institution"]),
        (request("32.11", "ITB", "ITB"), ["parties[2]"]),
        (request("32.11", "32.04", end_date="2023-02-28"), ["end_date"]),
        (request("32.11", "99.99", end_date="2023-02-28"), ["parties[1].institution", "end_date"]),
    ],
)
def test_every_fault_of_a_draft_is_named_at_once(wrong: rpc.SaveMemorandumRequest, named: list[str]) -> None:
    assert fields(wrong) == named
    with pytest.raises(Refused) as refused:
        memoranda.require_sound(wrong, KNOWN, TODAY)
    assert (refused.value.kind, [fault.field for fault in refused.value.violations]) == (Kind.INVALID_ARGUMENT, named)


def test_a_party_is_named_by_its_code_or_by_its_name_and_not_by_both_or_neither() -> None:
    wrong = request("32.11", "32.04")
    wrong.parties[1].name = "Kabupaten Bandung"
    wrong.parties.append(pb.Party(signatory="Nobody"))
    assert fields(wrong) == ["parties[1]", "parties[2]"]


def test_the_days_of_a_rehearsal_are_not_those_of_the_calendar() -> None:
    assert fields(request(end_date="2022-11-30", rehearsal="r-1")) == []
    assert memoranda.due(in_force(end_date="2022-11-30", rehearsal="r-1"), NOW) is None


def test_a_draft_may_change_until_somebody_has_signed_it() -> None:
    found = draft()
    again, told = memoranda.saved(request("32.11", "73.71", etag=found.etag), "m-2", found)
    assert (again.id, again.etag, told.parties, told.partner) == ("m-1", "2", 2, "73.71")
    with pytest.raises(Refused) as refused:
        memoranda.saved(request(etag="1"), "m-2", again)
    assert refused.value.kind is Kind.ABORTED
    memoranda.sign(again, "32.11", "regent", NOW)
    with pytest.raises(Refused) as refused:
        memoranda.saved(request(), "m-2", again)
    assert refused.value.reason == "SIGNED"


def test_a_draft_stays_in_its_realm() -> None:
    with pytest.raises(Refused) as refused:
        memoranda.saved(request(rehearsal="r-1"), "m-2", draft())
    assert refused.value.reason == "REALM"


def test_whoever_drafts_signs_for_nobody() -> None:
    wanted = request()
    wanted.parties[0].signed_by = "me"
    found, _ = memoranda.saved(wanted, "m-1", None)
    assert [one.signed_by for one in found.parties] == ["", "", ""]


def test_it_is_in_force_with_the_last_signature() -> None:
    found = draft()
    told = [memoranda.sign(found, one, "somebody", NOW) for one in PARTIES]
    assert [(one.signed, one.parties) for one in told if one] == [(1, 3), (2, 3), (3, 3)]
    assert found.state == pb.MEMORANDUM_STATE_IN_FORCE
    assert found.force_time.ToDatetime(UTC) == NOW


def test_a_party_signs_once_and_a_stranger_never() -> None:
    found = draft()
    assert memoranda.sign(found, "32.04", "first", NOW) is not None
    assert memoranda.sign(found, "32.04", "second", NOW) is None
    assert found.parties[1].signed_by == "first"
    with pytest.raises(Refused) as refused:
        memoranda.sign(found, "73.71", "somebody", NOW)
    assert refused.value.kind is Kind.NOT_FOUND


def test_what_is_over_is_signed_and_ended_by_nobody() -> None:
    with pytest.raises(Refused) as refused:
        memoranda.end(draft(), "changed our mind")
    assert refused.value.reason == "NOT_IN_FORCE"
    found = in_force()
    told = memoranda.end(found, "both wanted it")
    assert (told.reason, found.state) == ("both wanted it", pb.MEMORANDUM_STATE_ENDED)
    found.parties[0].ClearField("signed_by")
    with pytest.raises(Refused) as refused:
        memoranda.sign(found, "32.11", "late", NOW)
    assert refused.value.reason == "NOT_A_DRAFT"


def test_its_parties_are_told_once_before_its_last_day_and_it_is_over_the_day_after() -> None:
    found = in_force(end_date="2023-06-30")
    last = datetime(2023, 6, 30, 12, tzinfo=UTC)
    early, first = last - timedelta(days=memoranda.REMIND_DAYS + 1), last - timedelta(days=memoranda.REMIND_DAYS)
    assert memoranda.due(found, early) is None
    told = memoranda.due(found, first)
    assert isinstance(told, events.MemorandumEnding)
    assert told.end_date == "2023-06-30"
    assert memoranda.due(found, first) is None
    assert memoranda.due(found, last) is None
    over = memoranda.due(found, last + timedelta(days=1))
    assert isinstance(over, events.MemorandumOver)
    assert found.state == pb.MEMORANDUM_STATE_EXPIRED
    assert memoranda.due(found, last + timedelta(days=2)) is None


class Life(RuleBasedStateMachine):
    """Whatever is done in whatever order: it is in force only when all have signed, and no version is told twice."""

    @initialize()
    def drafted(self) -> None:
        self.found, told = memoranda.saved(request(end_date="2023-06-30"), "m-1", None)
        self.versions = [told.meta.version]
        self.now = NOW

    def heard(self, told: object) -> None:
        if told is not None:
            self.versions.append(told.meta.version)  # type: ignore[attr-defined]

    @rule(who=st.sampled_from(PARTIES))
    def signs(self, who: str) -> None:
        try:
            self.heard(memoranda.sign(self.found, who, "somebody", self.now))
        except Refused:
            assert self.found.state != pb.MEMORANDUM_STATE_DRAFT

    @rule()
    def is_changed(self) -> None:
        signed = any(one.signed_by for one in self.found.parties)
        try:
            self.found, told = memoranda.saved(request(end_date="2023-06-30"), "m-2", self.found)
            assert not signed
            self.heard(told)
        except Refused:
            assert signed

    @precondition(lambda self: self.now.date() < date(2023, 8, 1))
    @rule(days=st.integers(1, 40))
    def days_pass(self, days: int) -> None:
        self.now += timedelta(days=days)
        self.heard(memoranda.due(self.found, self.now))

    @rule()
    def is_ended(self) -> None:
        in_force = self.found.state == pb.MEMORANDUM_STATE_IN_FORCE
        try:
            self.heard(memoranda.end(self.found, "no more"))
            assert in_force
        except Refused:
            assert not in_force

    @invariant()
    def all_of_it_was_signed_that_binds(self) -> None:
        if self.found.state != pb.MEMORANDUM_STATE_DRAFT:
            assert all(one.signed_by for one in self.found.parties)
        assert self.versions == list(range(1, len(self.versions) + 1))


TestLife = Life.TestCase
