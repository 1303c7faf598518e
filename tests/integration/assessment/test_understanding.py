"""Understanding the present: what-if, stages side by side, delegation and the work queue, on real servers."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from livinglab.assessment.v1 import cycle_pb2, evaluation_pb2, events_pb2
from livinglab.assessment.v1 import understanding_pb2 as pb
from livinglab.assessment.v1.understanding_pb2_grpc import UnderstandingServiceStub

from chassis.errors import Kind
from stack.issuer import Issuer
from tests.harness.evaluation import BANDUNG, DOCUMENT, INTERVIEW, REVIEW, SPBE, People, answers
from tests.harness.servers import Servers
from tests.harness.service import refusal, running_service
from tests.harness.waiting import eventually


@pytest.fixture
async def people(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[People]:
    async with running_service("assessment", servers, issuer, nats_url) as running:
        yield People(running)


def levels(given: dict[str, str]) -> list[cycle_pb2.Level]:
    return [cycle_pb2.Level(indicator=code, value=value) for code, value in given.items()]


def due(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).date().isoformat()


async def profile(people: People, role: str = "operator") -> pb.GetProfileResponse:
    return await people.understanding(role).GetProfile(pb.GetProfileRequest(evaluation_id=people.evaluation_id))


async def test_five_indicators_to_level_3_and_nothing_is_stored(people: People) -> None:
    await people.open()
    before = await people.answer(answers("2"))
    request = pb.WhatIfRequest(
        evaluation_id=people.evaluation_id, changes=levels(dict.fromkeys(["1", "2", "3", "4", "47"], "3"))
    )
    seen = await people.understanding("operator").WhatIf(request)
    # 2 + (4 * 1.3 + 3) / 100
    assert (seen.before.index, seen.after.index, seen.difference) == ("2.00", "2.08", "0.08")
    assert not seen.assumed
    gains = [float(gain.gain) for gain in seen.gains]
    assert gains == sorted(gains, reverse=True)
    assert len(gains) == 47
    best = seen.gains[0]
    assert (getattr(best, "from"), best.to) == ("2", "3")
    again = await people.understanding("operator").WhatIf(pb.WhatIfRequest(evaluation_id=people.evaluation_id))
    assert again.after.index == "2.00"
    after = await people.answer(answers("2", [1]))
    assert int(after.etag) == int(before.etag) + 1


async def test_bare_values_are_scored_without_an_evaluation_and_gaps_count_at_the_minimum(people: People) -> None:
    request = pb.WhatIfRequest(instrument=SPBE, values=levels({"1": "5"}), changes=levels({"1": "3"}))
    seen = await people.understanding("head").WhatIf(request)
    # 1 + 4 * 1.3 / 100, then 1 + 2 * 1.3 / 100
    assert (seen.before.index, seen.after.index, len(seen.assumed)) == ("1.05", "1.03", 46)
    request.changes.extend(levels({"99": "3", "2": "9"}))
    refused = await refusal(people.understanding("head").WhatIf(request))
    assert {v.field for v in refused.violations} == {"changes[1]", "changes[2]"}
    request = pb.WhatIfRequest(instrument="spbe-1")
    assert (await refusal(people.understanding("head").WhatIf(request))).kind == Kind.NOT_FOUND
    both = pb.WhatIfRequest(instrument=SPBE, evaluation_id="x")
    assert (await refusal(people.understanding("head").WhatIf(both))).kind == Kind.INVALID_ARGUMENT


async def test_another_region_and_the_public_do_not_see_a_draft(people: People) -> None:
    await people.open()
    stranger = people.running.as_role(UnderstandingServiceStub, "operator", BANDUNG)
    public = people.understanding("public")
    asked = pb.GetProfileRequest(evaluation_id=people.evaluation_id)
    what_if = pb.WhatIfRequest(evaluation_id=people.evaluation_id)
    for call in (stranger.GetProfile(asked), stranger.WhatIf(what_if)):
        assert (await refusal(call)).kind == Kind.PERMISSION_DENIED
    for call in (public.GetProfile(asked), public.WhatIf(what_if)):
        assert (await refusal(call)).kind == Kind.NOT_FOUND


async def test_completeness_is_counted_for_each_aspect(people: People) -> None:
    await people.open()
    await people.answer(answers("4", [1, 2, 3, 11]))
    groups = {(g.kind, g.number): g for g in (await profile(people)).groups}
    whole, first, second = groups["", ""], groups["aspect", "1"], groups["aspect", "2"]
    assert (whole.indicators, whole.answered) == (47, 4)
    assert (first.indicators, first.answered, second.answered) == (10, 3, 1)
    assert not whole.cells


async def test_stages_stand_side_by_side_with_the_gap_strengths_and_weaknesses(people: People) -> None:
    await people.submitted(answers("4"))
    await people.assign("ani")
    await people.assess("ani", {"1": "2"})
    await people.conclude(DOCUMENT)
    await people.assess("ani", {"1": "3", "2": "5"}, INTERVIEW)
    await people.conclude(INTERVIEW)
    await people.review_all()
    await people.conclude(REVIEW)
    await people.determine()
    await people.publish()
    seen = await profile(people)
    assert list(seen.stages) == [1, 2, 3, 5, 6, 7]
    rows = {row.indicator: row for row in seen.rows}
    assert [(c.value, c.inherited) for c in rows["1"].cells[:4]] == [
        ("4", False),
        ("2", False),
        ("3", False),
        ("3", True),
    ]
    assert (rows["1"].gap, rows["2"].gap, rows["3"].gap) == ("-1", "1", "0")
    assert (rows["1"].aspect, rows["1"].note.justification) == ("1", "hence 3")
    groups = {(g.kind, g.number): g for g in seen.groups}
    aspect = groups["aspect", "1"]
    assert ("1" in aspect.strengths, "2" in aspect.strengths, list(aspect.weaknesses)) == (False, True, [])
    # 4 - 1.3% for indicator 1 at 3, + 1.3% for indicator 2 at 5
    assert (groups["", ""].cells[0].value, groups["", ""].cells[-1].value, groups["", ""].gap) == (
        "4.00",
        "4.00",
        "0.00",
    )
    assert [c.value for c in groups["", ""].cells[:3]] == ["4.00", "3.97", "4.00"]
    public = await profile(people, "public")
    assert not any(row.HasField("note") and row.note.fact for row in public.rows)


async def test_the_queue_puts_unanswered_first_by_gain_and_nearness(people: People) -> None:
    await people.open()
    await people.answer(answers("2", range(1, 45)))
    operator = people.understanding("operator")
    delegations = [
        evaluation_pb2.Delegation(indicator="46", agency="Dinas Kesehatan", due_date=due(0)),
        evaluation_pb2.Delegation(indicator="1", agency="Diskominfo", due_date=due(-3)),
        evaluation_pb2.Delegation(indicator="2", agency="Diskominfo"),
    ]
    await operator.DelegateIndicators(pb.DelegateIndicatorsRequest(delegations=delegations, **people.about()))
    work = list((await operator.ListWork(pb.ListWorkRequest(evaluation_id=people.evaluation_id))).items)
    assert {item.indicator for item in work[:3]} == {"45", "46", "47"}
    assert (work[0].indicator, work[0].agency, work[0].value) == ("46", "Dinas Kesehatan", "")
    answered = [item for item in work if item.value]
    assert (answered[0].indicator, answered[0].overdue) == ("1", True)
    priorities = [float(item.priority) for item in answered]
    assert priorities == sorted(priorities, reverse=True)
    asked = pb.ListWorkRequest(evaluation_id=people.evaluation_id, agency="Diskominfo")
    assert [item.indicator for item in (await operator.ListWork(asked)).items] == ["1", "2"]

    back = [evaluation_pb2.Delegation(indicator="1"), evaluation_pb2.Delegation(indicator="2", agency="Bappeda")]
    after = (
        await operator.DelegateIndicators(pb.DelegateIndicatorsRequest(delegations=back, **people.about()))
    ).evaluation
    assert [(d.indicator, d.agency) for d in after.delegations] == [("2", "Bappeda"), ("46", "Dinas Kesehatan")]

    async def heard() -> bool:
        return len(await people.running.published(events_pb2.IndicatorsDelegated)) == 2

    await eventually(heard)


async def test_every_fault_of_a_delegation_is_named_and_a_stale_etag_refused(people: People) -> None:
    await people.open()
    operator = people.understanding("operator")
    bad = [
        evaluation_pb2.Delegation(indicator="99", agency="Diskominfo"),
        evaluation_pb2.Delegation(indicator="1", due_date=due(1)),
        evaluation_pb2.Delegation(indicator="1", agency="Diskominfo"),
    ]
    refused = await refusal(
        operator.DelegateIndicators(pb.DelegateIndicatorsRequest(delegations=bad, **people.about()))
    )
    assert {v.field for v in refused.violations} == {
        "delegations[0].indicator",
        "delegations[1].due_date",
        "delegations[2].indicator",
    }
    await people.answer(answers("2", [1]))
    stale = pb.DelegateIndicatorsRequest(delegations=bad[2:], etag="1", **people.about())
    assert (await refusal(operator.DelegateIndicators(stale))).kind == Kind.ABORTED


async def test_after_submission_there_is_no_work_left(people: People) -> None:
    await people.submitted()
    asked = pb.ListWorkRequest(evaluation_id=people.evaluation_id)
    assert (await refusal(people.understanding("operator").ListWork(asked))).reason == "NOTHING_TO_DO"
