"""Answers say which criteria are met and what shows it; what they still need is a list, what is doubtful is told."""

import hashlib
import uuid
from collections.abc import AsyncIterator

import pytest
from livinglab.assessment.v1 import (
    evaluation_pb2,
    events_pb2,
    evidence_service_pb2,
    guidance_pb2,
    service_pb2,
    understanding_pb2,
)
from livinglab.assessment.v1.evidence_service_pb2_grpc import EvidenceServiceStub

from chassis.errors import Kind
from instruments import guidance_files, instrument_files
from instruments.file import load
from instruments.guidance_lint import load as load_guidance
from stack.issuer import Issuer
from tests.harness.evaluation import BANDUNG, SPBE, SUMEDANG, People, answers, request_id
from tests.harness.servers import Servers
from tests.harness.service import refusal, running_service
from tests.harness.waiting import eventually

PDF = b"%PDF-1.7\n" + bytes(range(256)) * 4


@pytest.fixture
async def people(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[People]:
    async with running_service("assessment", servers, issuer, nats_url) as running:
        yield People(running)


def answer(indicator: str, value: str, **met: list[str]) -> evaluation_pb2.Answer:
    shown = [guidance_pb2.CriterionMet(criterion=code[1:], evidence=ids) for code, ids in met.items()]
    return evaluation_pb2.Answer(indicator=indicator, value=value, met=shown)


async def saved(people: People, *given: evaluation_pb2.Answer) -> service_pb2.SaveAnswersResponse:
    request = service_pb2.SaveAnswersRequest(answers=given, **people.about())
    return await people.basic("operator").SaveAnswers(request)


async def needs(people: People, *indicators: str) -> understanding_pb2.ListNeedsResponse:
    request = understanding_pb2.ListNeedsRequest(evaluation_id=people.evaluation_id, indicators=indicators)
    return await people.understanding("head").ListNeeds(request)


async def uploaded(people: People, institution: str = SUMEDANG) -> str:
    content = PDF + uuid.uuid4().bytes
    stub = people.running.as_role(EvidenceServiceStub, "operator", institution)
    announced = evidence_service_pb2.StartUploadRequest(
        request_id=request_id(),
        institution=institution,
        document_date="2022-03-01",
        file_name="a.pdf",
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )
    upload = (await stub.StartUpload(announced)).upload

    async def parts() -> AsyncIterator[evidence_service_pb2.SendUploadRequest]:
        yield evidence_service_pb2.SendUploadRequest(upload_id=upload.id, offset=0, data=content)

    return str((await stub.SendUpload(parts())).upload.evidence.id)


async def test_an_answer_says_which_criteria_are_met_and_with_what(people: People) -> None:
    await people.open()
    shown = await uploaded(people)
    found = await saved(people, answer("1", "3", _2a=[shown], _2b=[], _3a=[shown]))
    [kept] = found.evaluation.answers
    assert [(one.criterion, list(one.evidence)) for one in kept.met] == [("2a", [shown]), ("2b", []), ("3a", [shown])]
    [need] = found.needs
    assert (need.reached, need.next_level, need.evidence) == ("3", "4", 1)
    assert [one.criterion for one in need.missing] == ["4a", "4b"]
    assert need.missing[0].text_en == "It also governs integration with other institutions"
    assert list(found.warnings) == []
    # Answered again without a word on criteria, what was said stays; it goes when that is asked for.
    again = await saved(people, evaluation_pb2.Answer(indicator="1", value="2"))
    assert len(again.evaluation.answers[0].met) == 3
    forgotten = await saved(people, evaluation_pb2.Answer(indicator="1", value="2", forget_met=True))
    assert list(forgotten.evaluation.answers[0].met) == []
    assert not forgotten.evaluation.answers[0].forget_met


async def test_level_n_needs_all_of_the_levels_below_and_an_answer_without_evidence_is_told(people: People) -> None:
    await people.open()
    found = await saved(people, answer("1", "4", _2a=[], _3a=[], _4a=[], _4b=[]))
    assert [(one.rule, one.indicator, one.level) for one in found.warnings] == [
        ("LADDER", "1", 4),
        ("EVIDENCE", "1", 4),
    ]
    assert "2b not met: what is met makes level 1" in found.warnings[0].message
    # Below the middle of the scale nothing is asked for.
    assert list((await saved(people, answer("2", "2"))).warnings) == []


async def test_criteria_and_evidence_that_are_not_there_are_refused_and_nothing_is_stored(people: People) -> None:
    await people.open()
    other = await uploaded(people, BANDUNG)
    refused = await refusal(saved(people, answer("1", "3", _2a=[other, "none"], _9z=[]), answer("32", "1", _2a=[])))
    assert refused.kind == Kind.INVALID_ARGUMENT
    assert [one.field for one in refused.violations] == [
        "answers[0].met[0].evidence[0]",
        "answers[0].met[0].evidence[1]",
        "answers[0].met[1].criterion",
    ]
    assert "there are 1a, 2a, 2b, 3a, 4a, 4b, 5a" in refused.violations[2].description
    assert (await refusal(needs(people, "1", "99"))).violations[0].field == "indicators[1]"
    listed = await needs(people, "1")
    assert (listed.indicators[0].value, len(listed.indicators)) == ("", 1)


async def test_what_is_doubtful_is_listed_before_handing_in_and_handed_in_all_the_same(people: People) -> None:
    await people.open()
    await people.answer(answers("2", range(1, 47)) + answers("3", [47]))
    found = await needs(people)
    assert len(found.indicators) == 47
    assert [one.next_level for one in found.indicators] == ["3"] * 46 + ["4"]
    assert [(one.rule, one.indicator) for one in found.warnings] == [("EVIDENCE", "47")]
    done = await people.basic("head").SubmitEvaluation(service_pb2.SubmitEvaluationRequest(**people.about()))
    assert [(one.rule, one.indicator) for one in done.warnings] == [("EVIDENCE", "47")]
    assert done.evaluation.state == evaluation_pb2.EVALUATION_STATE_SUBMITTED


async def test_the_queue_says_what_the_next_level_asks_for(people: People) -> None:
    await people.open()
    await saved(people, answer("12", "3"))
    request = understanding_pb2.ListWorkRequest(evaluation_id=people.evaluation_id)
    items = (await people.understanding("operator").ListWork(request)).items
    by_code = {item.indicator: item for item in items}
    assert [one.criterion for one in by_code["12"].needs.missing] == ["4a", "4b"]
    assert by_code["12"].needs.documents[0].name_en.startswith("Work plans and budgets")
    assert by_code["1"].needs.next_level == "2"


async def test_the_public_sees_no_criteria_of_a_published_evaluation(people: People) -> None:
    await people.open()
    await saved(people, answer("1", "3", _2a=[], _2b=[], _3a=[]))
    await people.answer(answers("3", range(2, 48)))
    await people.submit()
    await people.assign("ani")
    for stage in (evaluation_pb2.STAGE_DOCUMENT, evaluation_pb2.STAGE_INTERVIEW):
        await people.conclude(stage)
    await people.review_all()
    await people.conclude(evaluation_pb2.STAGE_REVIEW)
    await people.determine()
    await people.publish()
    get = service_pb2.GetEvaluationRequest(evaluation_id=people.evaluation_id)
    assert len((await people.basic("manager").GetEvaluation(get)).evaluation.answers[0].met) == 3
    assert not any(one.met for one in (await people.basic("public").GetEvaluation(get)).evaluation.answers)


async def test_a_revision_takes_the_place_of_an_earlier_one_and_is_told(people: People) -> None:
    instrument = load(instrument_files()[SPBE].read_bytes())
    guidance = load_guidance(guidance_files()[SPBE].read_bytes(), instrument)

    def publish() -> service_pb2.PublishGuidanceRequest:
        return service_pb2.PublishGuidanceRequest(request_id=request_id(), guidance=guidance)

    manager = people.basic("manager")
    await manager.PublishGuidance(publish())
    guidance.patterns[0].levels[1].criteria[0].text_en = "Better words"
    assert (await refusal(manager.PublishGuidance(publish()))).reason == "GUIDANCE_CHANGED"
    guidance.revision = 2
    await manager.PublishGuidance(publish())
    get = service_pb2.GetGuidanceRequest(instrument=SPBE)
    assert (await people.basic("public").GetGuidance(get)).guidance.revision == 2
    await people.open()
    found = await saved(people, answer("1", "1"))
    assert found.needs[0].missing[0].text_en == "Better words"

    async def told() -> bool:
        facts = await people.running.published(events_pb2.GuidancePublished)
        return [fact.guidance.revision for fact in facts if fact.instrument_id == SPBE] == [1, 2]

    await eventually(told)
    guidance.revision = 3
    del guidance.patterns[0].levels[1].criteria[:]
    refused = await refusal(manager.PublishGuidance(publish()))
    assert refused.violations[0].field == "guidance.patterns[0].levels[1].criteria"
    assert (await refusal(people.basic("head").PublishGuidance(publish()))).reason == "ROLE"
    none = service_pb2.GetGuidanceRequest(instrument="spbe-5-2018")
    assert (await refusal(manager.GetGuidance(none))).kind == Kind.NOT_FOUND


async def test_an_instrument_outside_its_years_is_told(people: People) -> None:
    async def opened(period: str) -> service_pb2.OpenEvaluationResponse:
        request = service_pb2.OpenEvaluationRequest(
            request_id=request_id(), institution=SUMEDANG, instrument=SPBE, period=period
        )
        return await people.basic("operator").OpenEvaluation(request)

    assert list((await opened("2025-2")).warnings) == []
    [doubt] = (await opened("2026")).warnings
    assert (doubt.rule, doubt.message) == (
        "YEARS",
        "spbe-59-2020 was in force from 2021 to 2025, the period is 2026",
    )
