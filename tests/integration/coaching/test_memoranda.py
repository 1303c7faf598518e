"""Agreements between institutions: drafted, signed by every party, in force until their last day."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from livinglab.coaching.v1 import memorandum_events_pb2, memorandum_pb2
from livinglab.coaching.v1 import memorandum_service_pb2 as pb
from livinglab.coaching.v1.memorandum_service_pb2_grpc import MemorandumServiceStub

from chassis.errors import Kind
from stack.issuer import Issuer
from tests.harness.coaching import BANDUNG, SUMEDANG, published, request_id
from tests.harness.servers import Servers
from tests.harness.service import Running, refusal, running_service

TELKOM = "Universitas Telkom"
TODAY = datetime.now(UTC).date()
DRAFT, IN_FORCE = memorandum_pb2.MEMORANDUM_STATE_DRAFT, memorandum_pb2.MEMORANDUM_STATE_IN_FORCE


@pytest.fixture
async def coaching(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[Running]:
    async with running_service("coaching", servers, issuer, nats_url) as running:
        yield running


def people(coaching: Running, role: str, institution: str = "") -> Any:
    return coaching.as_role(MemorandumServiceStub, role, institution)


def parties() -> list[memorandum_pb2.Party]:
    return [
        memorandum_pb2.Party(institution=SUMEDANG, signatory="Bupati Sumedang", position="Bupati"),
        memorandum_pb2.Party(institution=BANDUNG, signatory="Bupati Bandung"),
        memorandum_pb2.Party(name=TELKOM, signatory="Rektor"),
    ]


def saving(days: int = 400, **more: Any) -> pb.SaveMemorandumRequest:
    about: dict[str, Any] = {
        "title": "Satu akun",
        "scope": "Berbagi aplikasi",
        "end_date": (TODAY + timedelta(days=days)).isoformat(),
        "parties": parties(),
        **more,
    }
    return pb.SaveMemorandumRequest(request_id=request_id(), **about)


async def drafted(coaching: Running, **more: Any) -> memorandum_pb2.Memorandum:
    answer: pb.SaveMemorandumResponse = await people(coaching, "head", SUMEDANG).SaveMemorandum(saving(**more))
    return answer.memorandum


def signing(memorandum_id: str, party: str) -> pb.SignMemorandumRequest:
    return pb.SignMemorandumRequest(request_id=request_id(), memorandum_id=memorandum_id, party=party)


async def in_force(coaching: Running, **more: Any) -> memorandum_pb2.Memorandum:
    found = await drafted(coaching, **more)
    for code in (SUMEDANG, BANDUNG):
        await people(coaching, "regent", code).SignMemorandum(signing(found.id, code))
    answer: pb.SignMemorandumResponse = await people(coaching, "manager").SignMemorandum(signing(found.id, TELKOM))
    return answer.memorandum


async def test_it_is_in_force_with_the_last_signature_and_ends_once_with_a_reason(coaching: Running) -> None:
    found = await in_force(coaching)
    assert (found.state, found.parties[0].signed_by) == (IN_FORCE, f"regent@{SUMEDANG}")
    told = await published(coaching, memorandum_events_pb2.MemorandumSigned, 3)
    assert [(one.party, one.signed, one.partner) for one in told] == [
        (SUMEDANG, 1, BANDUNG),
        (BANDUNG, 2, BANDUNG),
        (TELKOM, 3, BANDUNG),
    ]
    ending = pb.EndMemorandumRequest(request_id=request_id(), memorandum_id=found.id, reason="Selesai")
    ended = (await people(coaching, "regent", BANDUNG).EndMemorandum(ending)).memorandum
    assert (ended.state, ended.end_reason) == (memorandum_pb2.MEMORANDUM_STATE_ENDED, "Selesai")
    again = pb.EndMemorandumRequest(request_id=request_id(), memorandum_id=found.id, reason="Lagi")
    assert (await refusal(people(coaching, "manager").EndMemorandum(again))).reason == "NOT_IN_FORCE"


async def test_a_draft_changes_until_somebody_signs(coaching: Running) -> None:
    found = await drafted(coaching)
    changed = await drafted(coaching, memorandum_id=found.id, etag=found.etag, title="Satu data")
    assert (changed.id, changed.title, changed.state) == (found.id, "Satu data", DRAFT)
    stale = saving(memorandum_id=found.id, etag=found.etag)
    assert (await refusal(people(coaching, "head", SUMEDANG).SaveMemorandum(stale))).kind is Kind.ABORTED
    await people(coaching, "regent", BANDUNG).SignMemorandum(signing(found.id, BANDUNG))
    late = saving(memorandum_id=found.id)
    assert (await refusal(people(coaching, "head", SUMEDANG).SaveMemorandum(late))).reason == "SIGNED"


async def test_every_fault_of_a_draft_is_named_and_nothing_is_kept(coaching: Running) -> None:
    named = [*parties(), memorandum_pb2.Party(institution="99.99", signatory="x"), memorandum_pb2.Party(signatory="x")]
    refused = await refusal(
        people(coaching, "head", SUMEDANG).SaveMemorandum(saving(days=-3, parties=[*named, parties()[1]]))
    )
    assert [one.field for one in refused.violations] == [
        "parties[3].institution",
        "parties[4]",
        "parties[5]",
        "end_date",
    ]
    alone = saving(parties=parties()[:1])
    assert [one.field for one in (await refusal(people(coaching, "manager").SaveMemorandum(alone))).violations] == [
        "parties"
    ]
    assert await coaching.db["memoranda"].count_documents({}) == 0


async def test_who_signs_and_who_sees(coaching: Running) -> None:
    found = await drafted(coaching)
    for stub, party, why in (
        (people(coaching, "regent", SUMEDANG), BANDUNG, "OTHER_INSTITUTION"),
        (people(coaching, "manager"), SUMEDANG, "OTHER_INSTITUTION"),
        (people(coaching, "head", SUMEDANG), SUMEDANG, "ROLE"),
    ):
        assert (await refusal(stub.SignMemorandum(signing(found.id, party)))).reason == why
    asked = pb.GetMemorandumRequest(memorandum_id=found.id)
    assert (await people(coaching, "operator", BANDUNG).GetMemorandum(asked)).memorandum.id == found.id
    assert (await refusal(people(coaching, "operator", "33.74").GetMemorandum(asked))).reason == "OTHER_INSTITUTION"
    assert (await refusal(people(coaching, "coach").GetMemorandum(asked))).reason == "NOT_ASSIGNED"
    listed = await people(coaching, "operator", BANDUNG).ListMemoranda(pb.ListMemorandaRequest(institution=BANDUNG))
    assert [one.id for one in listed.memoranda] == [found.id]
    unnamed = people(coaching, "operator", BANDUNG).ListMemoranda(pb.ListMemorandaRequest())
    assert (await refusal(unnamed)).reason == "INSTITUTION_NEEDED"


async def test_its_parties_are_told_before_the_end_and_after_it_is_expired(coaching: Running) -> None:
    found = await in_force(coaching, days=30)
    [told] = await published(coaching, memorandum_events_pb2.MemorandumEnding, 1)
    assert (told.memorandum_id, told.title, told.end_date) == (found.id, "Satu akun", found.end_date)
    over = (TODAY - timedelta(days=2)).isoformat()
    await coaching.db["memoranda"].update_one({"_id": found.id}, {"$set": {"end_date": over}})
    [closed] = await published(coaching, memorandum_events_pb2.MemorandumOver, 1)
    assert closed.reason == ""
    after = await people(coaching, "manager").GetMemorandum(pb.GetMemorandumRequest(memorandum_id=found.id))
    assert after.memorandum.state == memorandum_pb2.MEMORANDUM_STATE_EXPIRED
