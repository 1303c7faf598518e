"""A plan is changed by the people whose it is: every fault is named, nobody's change is lost, amendments wait."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from livinglab.coaching.v1 import action_pb2, plan_events_pb2
from livinglab.coaching.v1 import coaching_pb2 as pb
from livinglab.coaching.v1 import plan_service_pb2 as plan_rpc
from livinglab.coaching.v1 import service_pb2 as rpc

from chassis.errors import Kind, Refused
from directory import Institution, official_regions
from instruments.tree import Instrument, Node
from services.coaching.model import amending, comments, plan, revisions
from services.coaching.model.ground import Ground, Window, owner_fault
from services.coaching.model.order import circles
from services.coaching.model.planning import Evaluation, draft

SUMEDANG = "32.11"
NOW = datetime(2022, 12, 1, tzinfo=UTC)
AGENCY = Institution("DISKOMINFO-SMD", "Diskominfo Sumedang", "agency", SUMEDANG, 1)
KNOWN = {**official_regions(), AGENCY.code: AGENCY}
VALUES = {str(n): Decimal(2) for n in range(1, 7)}
_NODES = tuple(Node(str(n), name=f"Indikator {n}", weight=n) for n in range(1, 7))
INSTRUMENT = Instrument(Decimal(1), Decimal(5), Node("", children=_NODES), whole=True)
GROUND = Ground(KNOWN, INSTRUMENT, VALUES, Window("2022-11-01", "2023-01-31"))


def made() -> pb.Plan:
    """Three actions: 6, 5 and 4, each from 2 to 4."""
    request = rpc.DraftPlanRequest(cohort_id="c", institution=SUMEDANG, target="3.4")
    found = draft(request, "coach-1", Evaluation("e", "i", 1, "", "2.00", VALUES), INSTRUMENT)
    assert [action.id for action in found.actions] == ["6", "5", "4"]
    return found


def approved() -> pb.Plan:
    found = made()
    plan.submit(found, "", "head")
    plan.review(found, rpc.ReviewPlanRequest(approved=True), "coach-1")
    return found


def edit(action_id: str, etag: str = "1", **fields: Any) -> action_pb2.ActionChange:
    return action_pb2.ActionChange(
        kind=action_pb2.CHANGE_KIND_EDIT,
        action_id=action_id,
        etag=etag,
        fields=action_pb2.ActionFields(**fields),
        set=list(fields),
    )


def drop(action_id: str, etag: str = "1", reason: str = "Anggaran dialihkan") -> action_pb2.ActionChange:
    return action_pb2.ActionChange(kind=action_pb2.CHANGE_KIND_DROP, action_id=action_id, etag=etag, reason=reason)


def add(action_id: str, indicator: str, **fields: Any) -> action_pb2.ActionChange:
    return action_pb2.ActionChange(
        kind=action_pb2.CHANGE_KIND_ADD,
        action_id=action_id,
        fields=action_pb2.ActionFields(indicator=indicator, **fields),
    )


def edited(found: pb.Plan, *changes: action_pb2.ActionChange, author: str = "operator", **more: Any) -> Any:
    return amending.edit(found, plan_rpc.EditPlanRequest(changes=changes, **more), GROUND, author)


def refused(found: pb.Plan, *changes: action_pb2.ActionChange, **more: Any) -> Refused:
    """Why, and that nothing changed."""
    before = found.SerializeToString(deterministic=True)
    with pytest.raises(Refused) as caught:
        edited(found, *changes, **more)
    after = found
    after.etag = pb.Plan.FromString(before).etag
    assert after.SerializeToString(deterministic=True) == before
    return caught.value


def test_actions_are_edited_added_dropped_and_ordered() -> None:
    found = made()
    fact = edited(
        found,
        edit("6", owner="DISKOMINFO-SMD", person="Ibu Sekretaris", start_date="2022-11-21", due_date="2023-01-21"),
        edit("5", cost="150000000", fund_source=action_pb2.FUND_SOURCE_CSR, documents=["SK Bupati"], depends_on=["6"]),
        drop("4"),
        add("sosialisasi", "3", to_value="3", priority=1, criteria=["Kebijakan ditetapkan"]),
    )
    assert isinstance(fact, plan_events_pb2.PlanEdited)
    assert (list(fact.changed), list(fact.added), list(fact.dropped)) == (["6", "5"], ["sosialisasi"], ["4"])
    assert (fact.meta.version, found.etag, found.order_etag) == (2, "2", "2")
    by_id = {action.id: action for action in found.actions}
    assert (by_id["6"].owner, by_id["6"].etag, by_id["6"].changed_by) == ("DISKOMINFO-SMD", "2", "operator")
    assert (by_id["4"].state, by_id["4"].drop_reason) == (pb.ACTION_STATE_DROPPED, "Anggaran dialihkan")
    # 3 of 21 parts, one level.
    assert (by_id["sosialisasi"].gain, by_id["sosialisasi"].from_value) == ("0.14", "2")
    # (6*4 + 5*4 + 3*3 + (1+2+4)*2) / 21
    assert found.to_index == "3.19"
    edited(found, order=["5", "sosialisasi", "6"], order_etag="2")
    assert [action.id for action in found.actions] == ["5", "sosialisasi", "6", "4"]
    assert found.order_etag == "3"


def test_every_fault_is_named_at_once_and_nothing_is_stored() -> None:
    faults = refused(
        made(),
        edit("6", owner="32.04", start_date="2022-10-01", due_date="2023-02-01", cost="-1", to_value="2"),
        edit("5", depends_on=["4"], to_value="4.5"),
        edit("4", depends_on=["5", "nowhere"], start_date="2022-12-31", due_date="2022-12-01"),
        edit("9", owner="x"),
        add("6", "1"),
        add("new", "99"),
    )
    assert faults.kind == Kind.INVALID_ARGUMENT
    told = {violation.field: violation.description for violation in faults.violations}
    assert told["changes[0].fields.owner"] == "32.04 (Kabupaten Bandung) does not belong to 32.11"
    assert told["changes[0].fields.start_date"] == "2022-10-01 is before the program begins on 2022-11-01"
    assert told["changes[0].fields.due_date"] == "2023-02-01 is after the program ends on 2023-01-31"
    assert told["changes[0].fields.cost"] == "must not be negative"
    assert told["changes[0].fields.to_value"] == "2 is not above 2, where it stands"
    assert told["changes[1].fields.to_value"] == "4.5 is not on the scale of 1 to 5"
    assert told["changes[2].fields.due_date"] == "2022-12-01 is before it starts on 2022-12-31"
    assert told["changes[3].action_id"] == "9 is no action of this plan"
    assert told["changes[4].action_id"] == "6 is changed twice in one request"
    assert told["changes[5].fields.indicator"] == "99 is no indicator of it"
    circle = [v.description for v in faults.violations if v.field.endswith("depends_on")]
    assert any("leads in a circle" in one for one in circle)
    assert "4 depends on nowhere, which is no action of this plan" in circle


@pytest.mark.parametrize(
    ("owner", "why"),
    [
        ("", ""),
        (SUMEDANG, ""),
        ("DISKOMINFO-SMD", ""),
        ("Dinas Pendidikan", ""),
        ("32.73", "does not belong"),
        ("32", "does not belong"),
        ("Kabupaten Bandung", "does not belong"),
        ("99.99", "not known"),
    ],
)
def test_an_owner_is_of_the_region(owner: str, why: str) -> None:
    found = owner_fault(owner, SUMEDANG, KNOWN)
    assert (why in found) if why else not found


def test_two_who_edit_different_items_lose_nothing_and_the_same_item_is_told() -> None:
    found = made()
    edited(found, edit("6", owner="Dinas A"), author="ani")
    # Read at the same time as Ani had: another item, so it is taken.
    edited(found, edit("5", owner="Dinas B"), author="budi")
    assert [action.owner for action in found.actions] == ["Dinas A", "Dinas B", ""]
    collision = refused(found, edit("6", owner="Dinas C"), edit("4", owner="Dinas D"), author="budi")
    assert (collision.kind, collision.reason) == (Kind.ABORTED, "STALE_ETAG")
    [told] = collision.violations
    assert (told.field, told.description) == ("changes[0]", "6 was changed by ani meanwhile: owner is Dinas A")
    # The very same change is no collision.
    assert edited(found, edit("6", owner="Dinas A"), author="budi") is None
    edited(found, drop("4"), author="ani")
    assert "order" in {v.field for v in refused(found, order=["5", "6", "4"], order_etag="1").violations}


def test_a_plan_in_other_hands_is_not_edited_and_an_empty_one_not_handed_in() -> None:
    found = approved()
    assert refused(found, edit("6", owner="Dinas A")).reason == "PLAN_STATE"
    emptied = made()
    edited(emptied, *(drop(action.id) for action in list(emptied.actions)))
    with pytest.raises(Refused) as caught:
        plan.submit(emptied, "", "head")
    assert caught.value.reason == "EMPTY_PLAN"


def test_an_approved_plan_changes_by_an_amendment_that_the_coach_approves() -> None:
    found = approved()
    request = plan_rpc.ProposeAmendmentRequest(changes=[drop("4"), edit("5", owner="Dinas A")], reason="Refocusing")
    proposed = amending.propose(found, request, GROUND, "operator", NOW)
    assert (found.amendment.id, proposed.coach_id) == (found.etag, "coach-1")
    assert {action.owner for action in found.actions} == {""}
    with pytest.raises(Refused) as waits:
        amending.propose(found, request, GROUND, "operator", NOW)
    assert waits.value.reason == "AMENDMENT_WAITS"
    order = plan_rpc.ReviewAmendmentRequest(amendment_id=found.amendment.id, approved=True)
    with pytest.raises(Refused) as other:
        amending.review(found, order, GROUND, "coach-2", "")
    assert other.value.reason == "OTHER_COACH"
    amended = amending.review(found, order, GROUND, "coach-1", "")
    assert isinstance(amended, plan_events_pb2.PlanAmended)
    assert (amended.done, amended.total, found.HasField("amendment")) == (0, 2, False)
    assert [action.state for action in found.actions][2] == pb.ACTION_STATE_DROPPED


def test_an_amendment_that_was_overtaken_is_refused_and_one_refused_leaves_the_plan() -> None:
    found = approved()
    request = plan_rpc.ProposeAmendmentRequest(changes=[drop("6")], reason="Refocusing")
    amending.propose(found, request, GROUND, "operator", NOW)
    report(found, "6")
    order = plan_rpc.ReviewAmendmentRequest(amendment_id=found.amendment.id, approved=True)
    with pytest.raises(Refused) as overtaken:
        amending.review(pb.Plan.FromString(found.SerializeToString()), order, GROUND, "coach-1", "")
    assert overtaken.value.reason == "ACTION_DONE"
    order = plan_rpc.ReviewAmendmentRequest(amendment_id=found.amendment.id, reason="Sudah selesai")
    assert isinstance(amending.review(found, order, GROUND, "coach-1", ""), plan_events_pb2.AmendmentRefused)
    assert not found.HasField("amendment")


@pytest.mark.parametrize(("who", "acts_for"), [("coach-1", SUMEDANG), ("coach-1", "")])
def test_nobody_approves_their_own_plan(who: str, acts_for: str) -> None:
    found = made()
    plan.submit(found, "", "head" if acts_for else who)
    with pytest.raises(Refused) as caught:
        plan.review(found, rpc.ReviewPlanRequest(approved=True), who, acts_for)
    assert (caught.value.kind, caught.value.reason) == (Kind.PERMISSION_DENIED, "OWN_PLAN")


def test_a_plan_is_sent_back_item_by_item() -> None:
    found = made()
    plan.submit(found, "", "head")
    wrong = rpc.ReviewPlanRequest(remarks=[action_pb2.Remark(action_id="9", text="Siapa?")])
    with pytest.raises(Refused) as caught:
        plan.review(found, wrong, "coach-1")
    assert [v.field for v in caught.value.violations] == ["remarks[0].action_id"]
    request = rpc.ReviewPlanRequest(remarks=[action_pb2.Remark(action_id="6", text="Siapa penanggung jawabnya?")])
    plan.review(found, request, "coach-1")
    assert (found.state, found.reason) == (pb.PLAN_STATE_RETURNED, "6: Siapa penanggung jawabnya?")
    [asked] = comments.asked(found, request, ["c1"], "coach-1", NOW)
    assert (asked.action_id, asked.revision_asked) == ("6", True)
    edited(found, edit("6", person="Kepala Bidang"))
    assert comments.resolve(found, asked, "Sudah diisi", "operator", NOW) is not None
    assert comments.resolve(found, asked, "Lagi", "head", NOW) is None
    assert (asked.resolved_by, asked.answer) == ("operator", "Sudah diisi")
    plan.submit(found, "", "head")


def report(found: pb.Plan, action_id: str, **evidence: str) -> Any:
    request = rpc.CompleteActionRequest(action_id=action_id)
    request.evidence.add(**(evidence or {"link": "https://jdih.example/1"}))
    return plan.complete(found, request, "operator", NOW, {"piece-1"})


@pytest.mark.parametrize(
    ("evidence", "place"),
    [
        ({"note": "sudah"}, "evidence[0]"),
        ({"evidence_id": "piece-2"}, "evidence[0].evidence_id"),
        ({"link": "file:///etc/passwd"}, "evidence[0].link"),
        ({"link": "sudah selesai"}, "evidence[0].link"),
    ],
)
def test_a_claim_without_evidence_is_refused(evidence: dict[str, str], place: str) -> None:
    found = approved()
    with pytest.raises(Refused) as caught:
        report(found, "6", **evidence)
    assert [v.field for v in caught.value.violations] == [place]
    with pytest.raises(Refused) as caught:
        plan.complete(found, rpc.CompleteActionRequest(action_id="6"), "operator", NOW, ())
    assert [v.field for v in caught.value.violations] == ["evidence"]
    assert report(found, "6", evidence_id="piece-1") is not None


def test_work_goes_on_until_everything_is_done_or_dropped() -> None:
    found = made()
    edited(found, edit("5", depends_on=["6"]))
    plan.submit(found, "", "head")
    plan.review(found, rpc.ReviewPlanRequest(approved=True), "coach-1")
    with pytest.raises(Refused) as caught:
        report(found, "5")
    assert (caught.value.reason, [v.field for v in caught.value.violations]) == ("DEPENDS_ON", ["6"])
    plan.progress(found, "6", "Naskah disusun", NOW)
    assert (found.state, found.actions[0].state) == (pb.PLAN_STATE_IN_PROGRESS, pb.ACTION_STATE_IN_PROGRESS)
    for action_id in ("6", "5", "4"):
        last = report(found, action_id)
    assert (found.state, last.done, last.total) == (pb.PLAN_STATE_DONE, 3, 3)
    with pytest.raises(Refused) as caught:
        plan.progress(found, "6", "Lagi", NOW)
    assert caught.value.reason == "ACTION_DONE"


def test_two_revisions_are_compared_item_by_item() -> None:
    before, after = made(), made()
    edited(after, edit("6", owner="Dinas A"), drop("4"), add("baru", "1"))
    edited(after, order=["5", "6", "baru"], order_etag=after.order_etag)
    found = {(one.kind, one.action_id): one for one in revisions.compare(before, after)}
    [owner] = found[plan_rpc.DIFFERENCE_KIND_CHANGED, "6"].fields
    assert (owner.field, owner.before, owner.after) == ("owner", "", "Dinas A")
    assert (plan_rpc.DIFFERENCE_KIND_DROPPED, "4") in found
    assert (plan_rpc.DIFFERENCE_KIND_ADDED, "baru") in found
    told = {one.field: one.after for one in found[plan_rpc.DIFFERENCE_KIND_PLAN, ""].fields}
    assert told["order"] == "5, 6, 4"
    assert revisions.compare(after, after) == []


@settings(deadline=None)
@given(st.dictionaries(st.integers(0, 8), st.lists(st.integers(0, 8), max_size=4), max_size=9))
def test_circles_are_found_where_there_is_no_order(graph: dict[int, list[int]]) -> None:
    before = {str(node): [str(one) for one in needed] for node, needed in graph.items()}
    left = {node: {one for one in needed if one in before} for node, needed in before.items()}
    while ready := [node for node, needed in left.items() if not needed]:
        left = {node: needed - set(ready) for node, needed in left.items() if node not in ready}
    found = list(circles(before))
    assert bool(found) == bool(left)
    for circle in found:
        assert circle[0] == circle[-1]
        assert all(later in before[earlier] for earlier, later in pairwise(circle))


class PlanLife(RuleBasedStateMachine):
    """Whatever people try in whatever order: versions rise by one, facts agree with the plan, states follow rules."""

    def __init__(self) -> None:
        super().__init__()
        self.plan = made()
        self.facts: list[Any] = []

    def tried(self, call: Any) -> None:
        before = self.plan.SerializeToString(deterministic=True)
        known = int(self.plan.etag)
        copy = pb.Plan.FromString(before)
        try:
            fact = call(copy)
        except Refused:
            return
        self.plan = copy
        if fact is None:
            assert int(copy.etag) == known
        else:
            assert fact.meta.version == int(copy.etag) == known + 1
            self.facts.append(fact)

    @rule(n=st.integers(0, 5), owner=st.sampled_from(["", "Dinas A", "32.04"]), stale=st.booleans())
    def edits(self, n: int, owner: str, stale: bool) -> None:
        action = self.plan.actions[n % len(self.plan.actions)]
        change = edit(action.id, "1" if stale else action.etag, owner=owner)
        self.tried(lambda found: edited(found, change))

    @rule(n=st.integers(1, 6))
    def adds(self, n: int) -> None:
        self.tried(lambda found: edited(found, add(f"new-{n}", str(n))))

    @rule(n=st.integers(0, 5))
    def drops(self, n: int) -> None:
        action = self.plan.actions[n % len(self.plan.actions)]
        self.tried(lambda found: edited(found, drop(action.id, action.etag)))

    @rule()
    def submits(self) -> None:
        self.tried(lambda found: plan.submit(found, "", "head"))

    @rule(yes=st.booleans())
    def reviews(self, yes: bool) -> None:
        order = rpc.ReviewPlanRequest(approved=yes, reason="" if yes else "Lengkapi")
        self.tried(lambda found: plan.review(found, order, "coach-1"))

    @rule(n=st.integers(0, 5))
    def amends(self, n: int) -> None:
        action = self.plan.actions[n % len(self.plan.actions)]
        request = plan_rpc.ProposeAmendmentRequest(changes=[drop(action.id, action.etag)], reason="Refocusing")
        self.tried(lambda found: amending.propose(found, request, GROUND, "operator", NOW))

    @precondition(lambda self: self.plan.HasField("amendment"))
    @rule(yes=st.booleans())
    def decides(self, yes: bool) -> None:
        order = plan_rpc.ReviewAmendmentRequest(
            amendment_id=self.plan.amendment.id, approved=yes, reason="" if yes else "Tidak"
        )
        self.tried(lambda found: amending.review(found, order, GROUND, "coach-1", ""))

    @rule(n=st.integers(0, 5))
    def works(self, n: int) -> None:
        action = self.plan.actions[n % len(self.plan.actions)]
        self.tried(lambda found: plan.progress(found, action.id, "Berjalan", NOW))

    @rule(n=st.integers(0, 5))
    def reports(self, n: int) -> None:
        action = self.plan.actions[n % len(self.plan.actions)]
        self.tried(lambda found: report(found, action.id))

    @invariant()
    def holds(self) -> None:
        states = [action.state for action in self.plan.actions]
        if self.plan.state in plan.AGREED or self.plan.state == pb.PLAN_STATE_DROPPED:
            assert self.plan.state == plan.state_of_work(self.plan)
        else:
            assert not {pb.ACTION_STATE_DONE, pb.ACTION_STATE_IN_PROGRESS} & set(states)
            assert not self.plan.HasField("amendment")
        done, total = plan.standing(self.plan)
        assert done == sum(state == pb.ACTION_STATE_DONE for state in states) <= total <= len(states)
        assert all(action.evidence for action in self.plan.actions if action.state == pb.ACTION_STATE_DONE)
        counted = [fact for fact in self.facts if hasattr(fact, "total")]
        if counted and counted[-1].meta.version == int(self.plan.etag):
            assert (counted[-1].done, counted[-1].total) == (done, total)
        assert int(max((action.etag for action in self.plan.actions), key=int)) <= int(self.plan.etag)


PlanLife.TestCase.settings = settings(deadline=None, max_examples=60, stateful_step_count=25)
TestPlanLife = PlanLife.TestCase


def test_without_a_known_program_no_date_is_held_against_anybody() -> None:
    found = made()
    anywhere = replace(GROUND, window=Window())
    request = plan_rpc.EditPlanRequest(changes=[edit("6", due_date="2099-01-01")])
    assert amending.edit(found, request, anywhere, "operator") is not None
