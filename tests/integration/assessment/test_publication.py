"""What stands once it is published, what the public and the institution see, what the history tells."""

import asyncio
from collections.abc import AsyncIterator

import grpc.aio
import pytest
from livinglab.assessment.v1 import cycle_pb2, evaluation_pb2, events_pb2, service_pb2
from livinglab.assessment.v1 import verification_pb2 as pb

from chassis.errors import Kind
from chassis.status import from_rpc_error
from stack.issuer import Issuer
from tests.harness.evaluation import DOCUMENT, INTERVIEW, REVIEW, VISIT, People, answers
from tests.harness.servers import Servers
from tests.harness.service import refusal, running_service
from tests.harness.waiting import eventually


@pytest.fixture
async def people(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[People]:
    async with running_service("assessment", servers, issuer, nats_url) as running:
        yield People(running)


async def changes(people: People, role: str = "manager") -> list[cycle_pb2.Change]:
    found = await people.verifying(role).ListChanges(pb.ListChangesRequest(evaluation_id=people.evaluation_id))
    return list(found.changes)


async def test_publication_freezes_and_a_correction_is_a_new_revision_with_its_reason(people: People) -> None:
    await people.published("3.10")
    assert (await refusal(people.answer(answers("5", [1])))).reason == "PUBLISHED"
    assert (await refusal(people.assess("ani", {"1": "5"}))).reason == "PUBLISHED"
    assert (await refusal(people.publish())).reason == "PUBLISHED"
    assert (await refusal(people.assign("budi"))).reason == "PUBLISHED"
    manager = people.verifying("manager")
    same = pb.CorrectEvaluationRequest(
        reason="none", values=[cycle_pb2.Level(indicator="1", value="3")], **people.about()
    )
    assert (await refusal(manager.CorrectEvaluation(same))).kind == Kind.INVALID_ARGUMENT
    request = pb.CorrectEvaluationRequest(
        reason="typing error in the decree", values=[cycle_pb2.Level(indicator="1", value="4")], **people.about()
    )
    corrected = (await manager.CorrectEvaluation(request)).evaluation
    assert (corrected.revision, corrected.published_index, corrected.score.index) == (2, "3.01", "3.01")
    assert [(r.revision, r.remark) for r in corrected.results if r.revision] == [
        (1, ""),
        (2, "typing error in the decree"),
    ]
    last = (await changes(people))[-1]
    assert (last.action, last.reason) == ("corrected", "typing error in the decree")
    assert ("1", "3", "4") in [(i.subject, getattr(i, "from"), i.to) for i in last.items]

    async def both() -> bool:
        return len(await people.running.published(events_pb2.EvaluationPublished)) == 2

    await eventually(both)
    facts = await people.running.published(events_pb2.EvaluationPublished)
    assert [(f.revision, f.published, f.computed) for f in facts] == [(1, "3.10", "3.00"), (2, "3.01", "3.01")]


async def test_what_is_not_published_cannot_be_corrected(people: People) -> None:
    await people.submitted()
    request = pb.CorrectEvaluationRequest(
        reason="too early", values=[cycle_pb2.Level(indicator="1", value="4")], **people.about()
    )
    assert (await refusal(people.verifying("manager").CorrectEvaluation(request))).reason == "NOT_PUBLISHED"


async def test_the_public_sees_what_is_published_without_notes_and_names_and_no_drafts(people: People) -> None:
    public = people.basic("public")
    await people.submitted()
    get = service_pb2.GetEvaluationRequest(evaluation_id=people.evaluation_id)
    assert (await refusal(public.GetEvaluation(get))).kind == Kind.NOT_FOUND
    assert not (await public.ListEvaluations(service_pb2.ListEvaluationsRequest())).evaluations
    await people.assign("ani")
    await people.assess("ani", {"1": "2"})
    await people.conclude(DOCUMENT)
    await people.conclude(INTERVIEW)
    await people.review_all()
    await people.conclude(REVIEW)
    await people.determine()
    await people.publish()
    seen = (await public.GetEvaluation(get)).evaluation
    assert (seen.score.index, seen.published_index) == ("2.99", "2.99")
    assert not any(name in str(seen) for name in ("ani", "operator", "justification"))
    listed = (await public.ListEvaluations(service_pb2.ListEvaluationsRequest())).evaluations
    assert [one.id for one in listed] == [people.evaluation_id]


async def test_every_change_says_who_when_what_and_why_and_the_institution_does_not_see_drafts_of_assessors(
    people: People,
) -> None:
    await people.submitted()
    await people.assign("ani")
    await people.assess("ani", {"1": "2"})
    await people.assess("ani", {"1": "4"})
    found = await changes(people)
    assert [(c.action, c.by) for c in found] == [
        ("opened", "operator"),
        ("answered", "operator"),
        ("concluded", "head"),
        ("assigned", "manager"),
        ("assessed", "ani"),
        ("assessed", "ani"),
    ]
    assert [(i.subject, getattr(i, "from"), i.to) for i in found[-1].items] == [("1", "2", "4")]
    assert [c.version for c in found] == list(range(1, 7))
    assert all(c.HasField("time") for c in found)
    assert "assessed" not in [c.action for c in await changes(people, "head")]
    dossier = pb.GetDossierRequest(evaluation_id=people.evaluation_id)
    assert not (await people.verifying("head").GetDossier(dossier)).dossier.assessments
    await people.conclude(DOCUMENT)
    [seen] = (await people.verifying("head").GetDossier(dossier)).dossier.assessments
    assert (seen.note.fact, seen.note.analysis, seen.note.justification) == ("seen", "weighed", "hence 4")
    stranger = people.verifying("assessor", "nobody")
    assert (await refusal(stranger.GetDossier(dossier))).reason == "NOT_ASSIGNED"
    page = pb.ListChangesRequest(evaluation_id=people.evaluation_id, page_size=3)
    first = await people.verifying("manager").ListChanges(page)
    page.page_token = first.next_page_token
    second = await people.verifying("manager").ListChanges(page)
    assert [c.version for c in [*first.changes, *second.changes]] == list(range(1, 7))


async def test_operators_who_write_at_once_lose_nothing_and_one_etag_is_won_once(people: People) -> None:
    await people.open()
    saves = [people.answer(answers("3", [n])) for n in range(1, 9)]
    await asyncio.gather(*saves)
    now = (
        await people.basic("head").GetEvaluation(service_pb2.GetEvaluationRequest(evaluation_id=people.evaluation_id))
    ).evaluation
    assert (len(now.answers), now.etag) == (8, "9")
    requests = [
        service_pb2.SaveAnswersRequest(answers=answers("4", [n]), etag=now.etag, **people.about()) for n in range(1, 5)
    ]
    operator = people.basic("operator")
    outcomes = await asyncio.gather(*(operator.SaveAnswers(one) for one in requests), return_exceptions=True)
    refused = [from_rpc_error(one) for one in outcomes if isinstance(one, grpc.aio.AioRpcError)]
    assert [one.kind for one in refused] == [Kind.ABORTED] * 3
    assert [c.version for c in await changes(people)] == list(range(1, 11))


async def test_an_evaluation_from_before_the_cycle_goes_all_the_way(people: People) -> None:
    await people.submitted()
    rows = people.running.db["evaluations"]
    await rows.update_one(
        {"_id": people.evaluation_id}, {"$unset": {"course": "", "published_index": "", "revision": ""}}
    )
    await people.assign("ani")
    await people.conclude(DOCUMENT, visit=evaluation_pb2.Visit(reason="to see it"))
    await people.conclude(INTERVIEW)
    await people.conclude(VISIT)
    await people.review_all()
    await people.conclude(REVIEW)
    await people.determine()
    assert (await people.publish()).published_index == "3.00"
