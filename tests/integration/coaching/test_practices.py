"""The catalogue of good practices on a real database and broker: kept, published, copied by who lacks them."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import grpc.aio
import pytest
from livinglab.assessment.v1 import events_pb2 as assessment_pb
from livinglab.coaching.v1 import practice_events_pb2 as events_pb2
from livinglab.coaching.v1 import practice_pb2
from livinglab.coaching.v1 import practice_service_pb2 as pb
from livinglab.coaching.v1.practice_service_pb2_grpc import PracticeServiceStub

from chassis.errors import Kind
from instruments import instrument_files
from instruments.file import load
from stack.issuer import Issuer
from tests.harness.coaching import BANDUNG, SUMEDANG, count, published, request_id
from tests.harness.plans import INDICATORS, submitted
from tests.harness.servers import Servers
from tests.harness.service import Running, refusal, running_service
from tests.harness.waiting import eventually

if TYPE_CHECKING:
    from livinglab.coaching.v1.practice_service_pb2_grpc import PracticeServiceAsyncStub

SPBE = "spbe-59-2020"
WHOLE: dict[str, Any] = {
    "summary": "Satu akun untuk semua layanan",
    "kind": practice_pb2.SERVICE_KIND_G2C,
    "steps": ["Bentuk tim", "Pasang gerbang"],
    "contact_name": "Sri",
    "contact": "sri@dinas.example",
}


@pytest.fixture
async def coaching(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[Running]:
    async with running_service("coaching", servers, issuer, nats_url) as running:
        instrument = load(instrument_files()[SPBE].read_bytes())
        event = assessment_pb.InstrumentPublished(instrument_id=SPBE, instrument=instrument)
        await running.hear(event, aggregate_id=f"instrument:{SPBE}")
        await eventually(lambda: running.db["instruments"].find_one({}))
        yield running


def people(coaching: Running, role: str, institution: str = "") -> "PracticeServiceAsyncStub":
    return coaching.as_role(PracticeServiceStub, role, institution)


def visitor(coaching: Running) -> "PracticeServiceAsyncStub":
    """Somebody without a word about who they are."""
    channel = grpc.aio.insecure_channel(coaching.address)
    coaching.stack.push_async_callback(channel.close)
    return PracticeServiceStub(channel)


def practice(*levels: tuple[str, str], **more: Any) -> pb.SavePracticeRequest:
    fields = {"institution": SUMEDANG, "title": "Satu akun", "instrument": SPBE, **more}
    request = pb.SavePracticeRequest(request_id=request_id(), **fields)
    for indicator, level in levels:
        request.levels.add(indicator=indicator, level=level)
    return request


async def in_catalogue(coaching: Running, *levels: tuple[str, str], **more: Any) -> practice_pb2.Practice:
    saved = (await people(coaching, "operator", SUMEDANG).SavePractice(practice(*levels, **WHOLE, **more))).practice
    request = pb.PublishPracticeRequest(request_id=request_id(), practice_id=saved.id)
    return (await people(coaching, "head", SUMEDANG).PublishPractice(request)).practice


def copying(practice_id: str, institution: str = BANDUNG) -> pb.RequestReplicationRequest:
    return pb.RequestReplicationRequest(
        request_id=request_id(), practice_id=practice_id, institution=institution, note="Kami mulai bulan depan"
    )


async def test_a_draft_is_its_own_institutions_until_it_is_whole_and_published(coaching: Running) -> None:
    operator, head = people(coaching, "operator", SUMEDANG), people(coaching, "head", SUMEDANG)
    draft = (await operator.SavePractice(practice())).practice
    assert draft.state == practice_pb2.PRACTICE_STATE_DRAFT
    for other in (people(coaching, "head", BANDUNG), people(coaching, "coach")):
        assert (await refusal(other.GetPractice(pb.GetPracticeRequest(practice_id=draft.id)))).kind is Kind.NOT_FOUND
    assert (await operator.GetPractice(pb.GetPracticeRequest(practice_id=draft.id))).practice == draft
    publishing = pb.PublishPracticeRequest(request_id=request_id(), practice_id=draft.id)
    refused = await refusal(head.PublishPractice(publishing))
    assert refused.reason == "INCOMPLETE"
    assert [v.field for v in refused.violations] == ["summary", "kind", "levels", "steps", "contact_name", "contact"]
    assert (await refusal(people(coaching, "head", BANDUNG).PublishPractice(publishing))).kind is Kind.NOT_FOUND
    whole = practice(("35", "4"), practice_id=draft.id, etag=draft.etag, **WHOLE)
    await operator.SavePractice(whole)
    stale = practice(("35", "4"), practice_id=draft.id, etag=draft.etag, **WHOLE)
    assert (await refusal(operator.SavePractice(stale))).kind is Kind.ABORTED
    shown = (await head.PublishPractice(publishing)).practice
    assert shown.state == practice_pb2.PRACTICE_STATE_PUBLISHED
    assert shown.HasField("publish_time")
    anybody = visitor(coaching)
    assert list((await anybody.ListPractices(pb.ListPracticesRequest(indicator="35"))).practices) == [shown]
    assert not (await anybody.ListPractices(pb.ListPracticesRequest(indicator="10"))).practices
    [fact] = await published(coaching, events_pb2.PracticePublished, 1)
    assert (fact.institution, fact.practice_id, fact.meta.version) == (SUMEDANG, draft.id, 3)


async def test_every_fault_of_a_practice_is_named_and_nothing_is_stored(coaching: Running) -> None:
    manager = people(coaching, "manager")
    bad = practice(("99", "4"), ("35", "6"), ("10", "1"), ("10", "2"), institution="99.99", steps=[" "])
    refused = await refusal(manager.SavePractice(bad))
    assert [v.field for v in refused.violations] == [
        "institution",
        "levels[0].indicator",
        "levels[1].level",
        "levels[2].indicator",
        "levels[2].level",
        "levels[3].indicator",
        "steps[0]",
    ]
    refused = await refusal(manager.SavePractice(practice(instrument="nowhere")))
    assert [v.field for v in refused.violations] == ["instrument"]
    odd = practice()
    odd.evidence.add(title="Perbup", url="javascript:alert(1)")
    assert [v.field for v in (await refusal(manager.SavePractice(odd))).violations] == ["evidence[0].url"]
    other = people(coaching, "operator", BANDUNG).SavePractice(practice())
    assert (await refusal(other)).reason == "OTHER_INSTITUTION"
    assert await count(coaching, "practices") == 0


async def test_drafts_and_rehearsals_are_not_in_the_public_catalogue(coaching: Running) -> None:
    operator = people(coaching, "operator", SUMEDANG)
    draft = (await operator.SavePractice(practice())).practice
    rehearsed = await in_catalogue(coaching, ("35", "4"), rehearsal="try-1")
    assert not (await operator.ListPractices(pb.ListPracticesRequest())).practices
    own = pb.ListPracticesRequest(drafts=True, institution=SUMEDANG)
    assert list((await operator.ListPractices(own)).practices) == [draft]
    assert (await refusal(people(coaching, "head", BANDUNG).ListPractices(own))).reason == "DRAFTS"
    anybody = visitor(coaching)
    assert (await refusal(anybody.ListPractices(pb.ListPracticesRequest(rehearsal="try-1")))).reason == "REHEARSAL"
    assert list((await operator.ListPractices(pb.ListPracticesRequest(rehearsal="try-1"))).practices) == [rehearsed]


async def test_who_solved_what_i_lack_worth_most_first(coaching: Running) -> None:
    bandung = people(coaching, "operator", BANDUNG)
    asking = pb.ListPracticeMatchesRequest(institution=BANDUNG)
    assert (await refusal(bandung.ListPracticeMatches(asking))).reason == "NO_EVALUATION"
    evaluated = submitted({str(n): "3" if n == 10 else "2" for n in INDICATORS}, institution=BANDUNG)
    await coaching.hear(evaluated, aggregate_id=evaluated.evaluation_id)
    await eventually(lambda: coaching.db["evaluations"].find_one({}))
    small = await in_catalogue(coaching, ("35", "3"), ("10", "3"))
    large = await in_catalogue(coaching, ("35", "5"))
    await people(coaching, "operator", SUMEDANG).SavePractice(practice(("1", "5"), **WHOLE))
    found = await bandung.ListPracticeMatches(asking)
    assert found.evaluation_id == evaluated.evaluation_id
    told = [(one.indicator, one.value, one.level, one.practice.id) for one in found.matches]
    # Indicator 10 is at its level already, and a draft helps nobody.
    assert told == [("35", "2", "5", large.id), ("35", "2", "3", small.id)]
    assert float(found.matches[0].gain) == pytest.approx(3 * float(found.matches[1].gain), abs=0.02)
    assert (await refusal(people(coaching, "coach").ListPracticeMatches(asking))).reason == "NOT_ASSIGNED"
    other = pb.ListPracticeMatchesRequest(institution=SUMEDANG)
    assert (await refusal(bandung.ListPracticeMatches(other))).reason == "OTHER_INSTITUTION"


async def test_a_practice_is_copied_from_the_request_to_what_came_of_it(coaching: Running) -> None:
    shown = await in_catalogue(coaching, ("35", "4"))
    bandung, sumedang = people(coaching, "operator", BANDUNG), people(coaching, "operator", SUMEDANG)
    own = await refusal(sumedang.RequestReplication(copying(shown.id, SUMEDANG)))
    assert [v.field for v in own.violations] == ["institution"]
    copy = (await bandung.RequestReplication(copying(shown.id))).replication
    assert (await bandung.RequestReplication(copying(shown.id))).replication == copy
    early = pb.ReportReplicationRequest(request_id=request_id(), replication_id=copy.id, replicated=True, outcome="x")
    assert (await refusal(bandung.ReportReplication(early))).reason == "REPLICATION_STATE"
    answer = pb.AnswerReplicationRequest(request_id=request_id(), replication_id=copy.id)
    assert [v.field for v in (await refusal(sumedang.AnswerReplication(answer))).violations] == ["answer"]
    answer.accepted = True
    assert (await refusal(bandung.AnswerReplication(answer))).reason == "OTHER_INSTITUTION"
    await sumedang.AnswerReplication(answer)
    report = pb.ReportReplicationRequest(
        request_id=request_id(), replication_id=copy.id, replicated=True, outcome="Berjalan sejak Mei"
    )
    assert (await refusal(sumedang.ReportReplication(report))).reason == "OTHER_INSTITUTION"
    await bandung.ReportReplication(report)
    again = await refusal(bandung.RequestReplication(copying(shown.id)))
    assert again.reason == "REPLICATION_STATE"
    told = (await bandung.GetPractice(pb.GetPracticeRequest(practice_id=shown.id))).practice
    assert (told.requested, told.replicated) == (1, 1)
    listed = await sumedang.ListReplications(pb.ListReplicationsRequest(institution=SUMEDANG))
    assert [one.outcome for one in listed.replications] == ["Berjalan sejak Mei"]
    assert (await refusal(sumedang.ListReplications(pb.ListReplicationsRequest()))).reason == "INSTITUTION_NEEDED"
    facts: tuple[Any, ...] = (
        events_pb2.ReplicationRequested,
        events_pb2.ReplicationAnswered,
        events_pb2.ReplicationReported,
    )
    for fact in facts:
        [one] = await published(coaching, fact, 1)
        assert (one.institution, one.host, one.practice_id) == (BANDUNG, SUMEDANG, shown.id)


async def test_a_withdrawn_practice_takes_no_requests_and_no_changes(coaching: Running) -> None:
    shown = await in_catalogue(coaching, ("35", "4"))
    withdrawing = pb.WithdrawPracticeRequest(request_id=request_id(), practice_id=shown.id, reason="Usang")
    withdrawn = (await people(coaching, "secretary", SUMEDANG).WithdrawPractice(withdrawing)).practice
    assert (withdrawn.state, withdrawn.reason) == (practice_pb2.PRACTICE_STATE_WITHDRAWN, "Usang")
    refused = await refusal(people(coaching, "head", BANDUNG).RequestReplication(copying(shown.id)))
    assert refused.reason == "PRACTICE_STATE"
    changing = practice(("35", "4"), practice_id=shown.id, **WHOLE)
    refused = await refusal(people(coaching, "operator", SUMEDANG).SavePractice(changing))
    assert refused.reason == "PRACTICE_WITHDRAWN"
    [fact] = await published(coaching, events_pb2.PracticeWithdrawn, 1)
    assert fact.reason == "Usang"
