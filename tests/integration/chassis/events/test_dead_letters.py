"""What was set aside is listed with its reason and replayed through the reaction that had failed: once, whoever asks
and however often; what fails again stays."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from google.protobuf.message import DecodeError
from livinglab.assessment.v1 import events_pb2
from livinglab.common.v1 import dead_letter_service_pb2 as pb
from livinglab.common.v1.dead_letter_service_pb2_grpc import DeadLetterServiceStub

from chassis import mongo, naming, rpc
from chassis.config import Settings
from chassis.errors import Kind
from chassis.events import dead_letter_service, stream
from chassis.events.outbox import Publisher
from stack.issuer import AUDIENCE, ISSUER, Issuer
from stack.ports import free_ports
from tests.harness.coaching import request_id
from tests.harness.servers import Servers
from tests.harness.service import publish, refusal
from tests.harness.waiting import eventually

FACT = events_pb2.AnswersSaved.DESCRIPTOR.full_name


@dataclass
class Office:
    """A service with one reaction, which fails for the reason that it is given."""

    db: mongo.Database
    nats_url: str
    address: str
    issuer: Issuer
    broken: str = ""
    unreachable: str = ""
    elsewhere: list[str] = field(default_factory=list)

    async def handle(self, tx: mongo.Tx, event: events_pb2.AnswersSaved) -> None:
        change = {"$inc": {"times": 1}}
        await self.db["effects"].update_one({"_id": event.meta.event_id}, change, upsert=True, session=tx.session)
        if self.broken:
            # Set aside at once, and not after eight tries.
            raise DecodeError(self.broken)

    async def after(self, event: events_pb2.AnswersSaved) -> None:
        if self.unreachable:
            raise DecodeError(self.unreachable)
        self.elsewhere.append(event.meta.event_id)

    async def hear(self, event_id: str) -> None:
        await publish(self.nats_url, events_pb2.AnswersSaved(institution="32.11"), event_id=event_id, aggregate_id="e1")

    async def effects(self, event_id: str) -> int:
        row = await self.db["effects"].find_one({"_id": event_id})
        return int(row["times"]) if row else 0

    async def set_aside(self, count: int) -> list[pb.DeadLetter]:
        async def there() -> bool:
            return bool(await self.db["dead_letters"].count_documents({}) >= count)

        await eventually(there)
        return await self.letters()

    async def letters(self, **request: Any) -> list[pb.DeadLetter]:
        async with rpc.channel(self.address, lambda: f"Bearer {self.issuer.token('manager')}") as channel:
            asked = pb.ListDeadLettersRequest(**request)
            return list((await DeadLetterServiceStub(channel).ListDeadLetters(asked)).letters)

    async def replay(self, *ids: str, request: str = "", role: str = "platform", who: str = "p1") -> list[pb.Replay]:
        token = self.issuer.token(role, subject=who)
        async with rpc.channel(self.address, lambda: f"Bearer {token}") as channel:
            asked = pb.ReplayDeadLettersRequest(request_id=request or request_id(), letter_ids=ids)
            return list((await DeadLetterServiceStub(channel).ReplayDeadLetters(asked)).replays)

    async def discard(self, *ids: str, reason: str, role: str = "platform") -> list[pb.Replay]:
        token = self.issuer.token(role, subject="p1")
        async with rpc.channel(self.address, lambda: f"Bearer {token}") as channel:
            asked = pb.DiscardDeadLettersRequest(request_id=request_id(), letter_ids=ids, reason=reason)
            return list((await DeadLetterServiceStub(channel).DiscardDeadLetters(asked)).letters)


@pytest.fixture(params=["here", "here and elsewhere"])
async def office(
    servers: Servers, nats_url: str, issuer: Issuer, request: pytest.FixtureRequest
) -> AsyncIterator[Office]:
    [port] = free_ports(1)
    settings = Settings(
        listen=f"127.0.0.1:{port}", jwks_url=issuer.jwks_url, token_issuer=ISSUER, token_audience=AUDIENCE
    )
    client = mongo.connect(servers.mongo_uri)
    db = mongo.Database(client, f"letters_{secrets.token_hex(4)}")
    await db.prepare({"effects": []})
    nc = await stream.connect(nats_url, "test")
    found = Office(db, nats_url, settings.listen, issuer)
    after = found.after if request.param == "here and elsewhere" else None
    consumer = stream.Consumer(db, nc, "office", [stream.Reaction(events_pb2.AnswersSaved, found.handle, after)])
    consuming = asyncio.create_task(consumer.run())
    server = rpc.Server(settings, [dead_letter_service.served(db, consumer, Publisher(nc))])
    await server.start()
    yield found
    await server.stop(0)
    consuming.cancel()
    await asyncio.gather(consuming, return_exceptions=True)
    await nc.close()
    await client.drop_database(db.name)
    client.close()


async def test_a_letter_says_what_it_is_and_why_it_was_set_aside(office: Office) -> None:
    office.broken = "no such indicator"
    await office.hear("f1")
    [letter] = await office.set_aside(1)
    assert (letter.id, letter.type, letter.tries) == ("ASSESSMENT:1", FACT, 1)
    assert (letter.reason, letter.headers["ce-id"]) == ("DecodeError: no such indicator", "f1")
    assert events_pb2.AnswersSaved.FromString(letter.payload).institution == "32.11"
    assert await office.letters(type=FACT) == [letter]
    assert await office.letters(type="livinglab.assessment.v1.EvaluationOpened") == []


async def test_replayed_twice_a_fact_has_its_effect_once(office: Office) -> None:
    office.broken = "no such indicator"
    await office.hear("f1")
    [letter] = await office.set_aside(1)
    office.broken = ""
    [first] = await office.replay(letter.id)
    assert (first.outcome, first.type, first.actor) == (pb.REPLAY_OUTCOME_APPLIED, FACT, "p1")
    [again] = await office.replay(letter.id, who="p2")
    assert (again.outcome, again.actor) == (pb.REPLAY_OUTCOME_REPLAYED_BEFORE, "p1")
    assert await office.effects("f1") == 1
    assert await office.letters() == []


async def test_the_same_request_gets_its_first_answer(office: Office) -> None:
    office.broken = "no such indicator"
    await office.hear("f1")
    [letter] = await office.set_aside(1)
    [failed] = await office.replay(letter.id, request="r1")
    office.broken = ""
    assert await office.replay(letter.id, request="r1") == [failed]
    assert await office.effects("f1") == 0
    refused = await refusal(office.replay("ASSESSMENT:9", request="r1"))
    assert refused.kind is Kind.ALREADY_EXISTS


async def test_what_fails_again_stays_with_its_new_reason_and_the_others_go_on(office: Office) -> None:
    office.broken = "no such indicator"
    await office.hear("f1")
    await office.set_aside(1)
    headers = {"ce-type": FACT, "ce-subject": "e2"}
    nc = await stream.connect(office.nats_url, "test")
    await nc.jetstream().publish("assessment.v1.AnswersSaved.32.11", b"\xff\xff", headers=headers)
    await nc.close()
    await office.set_aside(2)
    office.broken = "no such region"
    outcomes = [one.outcome for one in await office.replay("ASSESSMENT:1", "ASSESSMENT:2")]
    assert outcomes == [pb.REPLAY_OUTCOME_FAILED] * 2
    first, second = await office.letters()
    assert (first.reason, first.tries) == ("DecodeError: no such region", 2)
    assert first.last_try_time.ToDatetime() > first.set_aside_time.ToDatetime()
    assert ("DecodeError" in second.reason, second.tries) == (True, 2)
    office.broken = ""
    outcomes = [one.outcome for one in await office.replay("ASSESSMENT:2", "ASSESSMENT:1", "ASSESSMENT:7")]
    assert outcomes == [pb.REPLAY_OUTCOME_FAILED, pb.REPLAY_OUTCOME_APPLIED, pb.REPLAY_OUTCOME_UNKNOWN]
    assert [one.id for one in await office.letters()] == ["ASSESSMENT:2"]


async def test_two_who_replay_at_once_share_one_effect(office: Office) -> None:
    office.broken = "no such indicator"
    await office.hear("f1")
    [letter] = await office.set_aside(1)
    office.broken = ""
    found = await asyncio.gather(*(office.replay(letter.id, who=f"p{n}") for n in range(4)))
    outcomes = [one.outcome for [one] in found]
    assert outcomes.count(pb.REPLAY_OUTCOME_APPLIED) == 1
    assert outcomes.count(pb.REPLAY_OUTCOME_REPLAYED_BEFORE) == 3
    assert await office.effects("f1") == 1


@pytest.mark.parametrize("office", ["here and elsewhere"], indirect=True)
async def test_where_only_the_effect_elsewhere_was_missing_only_that_is_made_up_for(office: Office) -> None:
    office.unreachable = "no such workflow"
    await office.hear("f1")
    [letter] = await office.set_aside(1)
    # The inbox forgets after a month; the letter does not.
    await office.db["inbox"].delete_many({})
    [failed] = await office.replay(letter.id)
    assert (failed.outcome, office.elsewhere) == (pb.REPLAY_OUTCOME_FAILED, [])
    office.unreachable = ""
    [replayed] = await office.replay(letter.id)
    assert (replayed.outcome, office.elsewhere) == (pb.REPLAY_OUTCOME_APPLIED, ["f1"])
    assert await office.effects("f1") == 1


async def test_managers_look_and_only_the_platform_team_replays(office: Office) -> None:
    assert await office.letters() == []
    assert (await refusal(office.replay("ASSESSMENT:1", role="manager"))).kind is Kind.PERMISSION_DENIED
    refused = await refusal(office.replay())
    assert [str(one) for one in refused.violations] == ["letter_ids: is required"]


async def test_what_is_given_up_is_a_letter_no_more_and_is_kept_with_who_and_why(office: Office) -> None:
    office.broken = "no such indicator"
    await office.hear("f1")
    [letter] = await office.set_aside(1)
    assert (await refusal(office.discard(letter.id, reason="", role="platform"))).kind is Kind.INVALID_ARGUMENT
    assert (await refusal(office.discard(letter.id, reason="a test", role="manager"))).kind is Kind.PERMISSION_DENIED
    [first] = await office.discard(letter.id, reason="sent by a test")
    assert (first.outcome, first.reason, first.type) == (pb.REPLAY_OUTCOME_DISCARDED, "sent by a test", FACT)
    [again] = await office.discard(letter.id, reason="another reason")
    assert again == first
    [replayed] = await office.replay(letter.id)
    assert (replayed.outcome, replayed.reason, replayed.actor) == (first.outcome, first.reason, "p1")
    [unknown] = await office.discard("ASSESSMENT:7", reason="it is not there")
    assert unknown.outcome == pb.REPLAY_OUTCOME_UNKNOWN
    assert (await office.letters(), await office.effects("f1")) == ([], 0)
    kept = await office.db["replays"].find_one({"letter": letter.id, "outcome": pb.REPLAY_OUTCOME_DISCARDED})
    assert kept["what"]["payload"] == letter.payload


async def test_letters_that_are_large_together_come_in_as_many_pages_as_they_need(office: Office) -> None:
    for n in range(12):
        row = {"_id": f"ASSESSMENT:{n:02}", "subject": "s", "headers": {}, "payload": b"x" * 900_000, "reason": "r"}
        times = {"tries": 1, "time": datetime.now(UTC)}
        await office.db["dead_letters"].insert_one(row | times)
    found, token = [], ""
    async with rpc.channel(office.address, lambda: f"Bearer {office.issuer.token('manager')}") as channel:
        while True:
            page = await DeadLetterServiceStub(channel).ListDeadLetters(pb.ListDeadLettersRequest(page_token=token))
            found += [letter.id for letter in page.letters]
            token = page.next_page_token
            if not token:
                break
    assert found == [f"ASSESSMENT:{n:02}" for n in range(12)]


async def test_a_fact_that_the_broker_refused_goes_out_when_it_is_replayed(office: Office) -> None:
    headers = {"ce-type": FACT, naming.CE_ID: "f1", naming.MESSAGE_ID: "f1"}
    event = events_pb2.AnswersSaved(institution="32.11")
    event.meta.event_id = "f1"
    row = {"_id": "OUTBOX:f1", "subject": naming.subject(event), "headers": headers, "reason": "too large"}
    times = {"tries": 1, "time": datetime.now(UTC), "outgoing": True}
    await office.db["dead_letters"].insert_one(row | times | {"payload": b"x" * 1_048_576})
    [failed] = await office.replay("OUTBOX:f1")
    assert (failed.outcome, "at most 1,048,576" in failed.reason) == (pb.REPLAY_OUTCOME_FAILED, True)
    # As where the broker takes more now.
    change = {"$set": {"payload": event.SerializeToString()}}
    await office.db["dead_letters"].update_one({"_id": "OUTBOX:f1"}, change)
    [letter] = await office.letters()
    assert (letter.outgoing, letter.tries) == (True, 2)
    [applied] = await office.replay("OUTBOX:f1")
    assert (applied.outcome, await office.letters()) == (pb.REPLAY_OUTCOME_APPLIED, [])

    async def heard() -> bool:
        return await office.effects("f1") == 1

    await eventually(heard)
