"""Subscribers in accounts of their own, on a real broker: what is theirs they read; whatever else they try fails."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import nats
import pytest
from livinglab.assessment.v1 import events_pb2
from livinglab.common.v1 import options_pb2
from livinglab.events import durable_name, subscribe
from livinglab.program.v1 import events_pb2 as program_pb2
from nats.aio.client import Client
from nats.errors import Error as NatsError

from chassis.errors import Refused
from chassis.events import facts
from schemas.__main__ import ACCOUNTS
from schemas.__main__ import SUBSCRIBERS as SHIPPED
from stack import servers
from stack.access import API, Subscriber, accounts, grant, local_accounts, read
from tests.harness.command import answered
from tests.harness.service import publish
from tests.harness.waiting import eventually

PUBLISHED = "assessment.v1.EvaluationPublished.>"
APP, OTHER = Subscriber("app", (PUBLISHED,)), Subscriber("other", ("assessment.v1.AnswersSaved.32.11",))


@pytest.fixture
async def broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """With facts of two kinds and three institutions, and the subscribers let in."""
    for one in (APP, OTHER):
        monkeypatch.setenv(one.password_variable, f"secret-{one.name}")
    server = servers.nats(tmp_path / "nats", accounts=accounts([APP, OTHER], open=True))
    await server.start()
    for code in ("32.11", "32.11.01", "33.01"):
        await publish(server.uri, events_pb2.AnswersSaved(institution=code), aggregate_id=code)
        await publish(server.uri, events_pb2.EvaluationPublished(institution=code), aggregate_id=code)
    await publish(server.uri, program_pb2.CohortLaunched(cohort_id="c"), aggregate_id="c")
    async with await nats.connect(server.uri) as nc:
        made, missing = await grant(nc.jetstream(), [APP, OTHER])
        assert (len(made), missing) == (2, [])
        assert await grant(nc.jetstream(), [APP, OTHER]) == ([], [])
    yield server.uri
    await server.stop()


def as_user(url: str, name: str) -> dict[str, Any]:
    return {"servers": url, "user": name, "password": f"secret-{name}"}


async def test_a_subscriber_hears_what_is_its_own_and_goes_on_where_it_was(broker: str) -> None:
    async def heard(name: str, subject: str, count: int) -> list[tuple[str, str]]:
        found = []
        async with asyncio.timeout(30), subscribe(subject, durable=name, api=API, **as_user(broker, name)) as stream:
            async for fact in stream:
                found.append((fact.name, fact.data.institution))
                if len(found) == count:
                    break
        return found

    assert await heard("app", PUBLISHED, 2) == [("EvaluationPublished", "32.11"), ("EvaluationPublished", "32.11.01")]
    assert await heard("app", PUBLISHED, 1) == [("EvaluationPublished", "33.01")]
    assert await heard("other", OTHER.filters[0], 1) == [("AnswersSaved", "32.11")]


async def test_a_subscriber_that_tries_more_gets_nothing_and_changes_nothing(broker: str) -> None:
    (stream, mine, _), (_, theirs, draft) = APP.places[0], OTHER.places[0]
    async with await nats.connect(broker) as system:
        before = await _state(system)
        denied: list[str] = []

        async def note(error: Exception) -> None:
            denied.append(str(error))

        nc = await nats.connect(**as_user(broker, "app"), error_cb=note)
        own = {"durable_name": mine, "name": mine, "ack_policy": "explicit", "filter_subject": draft}
        tried = [
            *(f"{prefix}.{call}" for prefix in ("$JS.API", API) for call in _calls(stream, mine, theirs, draft)),
            *(
                "assessment.v1.AnswersSaved.32.11",
                "program.v1.CohortLaunched.c",
                f"$JS.ACK.{stream}.{theirs}.1.1.1.1.0",
            ),
            "$SYS.REQ.SERVER.PING",
        ]
        for subject in tried:
            body = json.dumps({"stream_name": stream, "config": own}).encode()
            with pytest.raises(NatsError):
                await nc.request(subject, body, timeout=0.2)
        await _wiretap(nc)
        # Where an answer goes is whoever asks' to say; it stays in the account of who asked.
        for reply in ("program.v1.CohortEnded.c", "$JS.API.STREAM.PURGE.PROGRAM", "$JS.API.STREAM.DELETE.PROGRAM"):
            await nc.publish(f"{API}.CONSUMER.MSG.NEXT.{stream}.{mine}", b"1", reply=reply)
        await nc.flush()

        async def handed_out() -> bool:
            return bool((await system.jetstream().consumer_info(stream, mine)).num_ack_pending == 1)

        await eventually(handed_out)
        assert await _state(system) == before
        # The client says what the broker has denied in small letters.
        refused = {subject for subject in tried if any(f'"{subject.lower()}"' in error for error in denied)}
        assert refused == set(tried), set(tried) - refused
        await nc.close()


def _calls(stream: str, mine: str, theirs: str, draft: str) -> list[str]:
    return [
        *("INFO", "STREAM.LIST", "STREAM.NAMES", f"STREAM.INFO.{stream}", f"STREAM.PURGE.{stream}"),
        *(f"STREAM.DELETE.{stream}", f"STREAM.UPDATE.{stream}", "STREAM.CREATE.MINE", f"STREAM.MSG.GET.{stream}"),
        *(f"STREAM.MSG.DELETE.{stream}", f"DIRECT.GET.{stream}", f"STREAM.SNAPSHOT.{stream}"),
        *(f"CONSUMER.CREATE.{stream}", f"CONSUMER.CREATE.{stream}.{mine}", f"CONSUMER.CREATE.{stream}.{mine}.{draft}"),
        *(f"CONSUMER.DURABLE.CREATE.{stream}.{mine}", f"CONSUMER.LIST.{stream}", f"CONSUMER.DELETE.{stream}.{mine}"),
        *(f"CONSUMER.MSG.NEXT.{stream}.{theirs}", f"CONSUMER.INFO.{stream}.{theirs}"),
    ]


async def _wiretap(nc: Client) -> None:
    """Subjects of the streams, their delivery and the others' answers."""
    for subject in (">", "assessment.>", "deliver.>", "$JS.>"):
        subscription = await nc.subscribe(subject)
        await nc.flush()
        with pytest.raises((NatsError, TimeoutError)):
            await subscription.next_msg(timeout=0.2)


async def _state(system: Client) -> dict[str, tuple[int, int]]:
    js = system.jetstream()
    return {info.config.name or "": (info.state.messages, info.state.last_seq) for info in await js.streams_info()}


async def test_the_command_makes_what_is_granted_and_takes_away_what_is_not_any_more(
    broker: str, tmp_path: Path
) -> None:
    path = tmp_path / "subscribers.yaml"
    path.write_text('subscribers: [{name: app, subjects: ["assessment.v1.VisitAsked.>", "notify.v1.>"]}]')
    (stream, before, _) = APP.places[0]
    made = f"{stream} {durable_name('app', 'assessment.v1.VisitAsked.>')}"
    missing = f"NOTIFY {durable_name('app', 'notify.v1.>')}"
    assert await answered("events", "access", str(path), nats=broker) == {"made": [made], "waiting": [missing]}
    assert await answered("events", "access", str(path), nats=broker) == {"made": [], "waiting": [missing]}
    async with await nats.connect(broker) as nc:
        there = {info.name for info in await nc.jetstream().consumers_info(stream)}
    assert before not in there
    assert OTHER.places[0][1] in there


def test_the_shipped_subscribers_hear_what_their_facts_say() -> None:
    public, region = read(SHIPPED)
    assert PUBLISHED in public.filters
    assert "assessment.v1.EvaluationSubmitted.32.11" in region.filters
    kinds = {kind.DESCRIPTOR.full_name.removeprefix("livinglab."): kind for kind in facts.kinds().values()}
    for subscriber, audience in ((public, options_pb2.AUDIENCE_PUBLIC), (region, options_pb2.AUDIENCE_INSTITUTION)):
        for subject in subscriber.filters:
            kind = kinds[".".join(subject.split(".")[:3])]
            assert kind.DESCRIPTOR.GetOptions().Extensions[options_pb2.event].audience == audience


def test_the_shipped_accounts_are_those_of_the_shipped_subscribers() -> None:
    assert ACCOUNTS.read_text() == accounts(read(SHIPPED), open=True), "run `make schemas`"


async def test_streams_from_before_there_were_accounts_are_the_systems(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = servers.nats(tmp_path / "nats")
    await before.start()
    await publish(before.uri, program_pb2.CohortLaunched(cohort_id="c"), aggregate_id="c")
    await before.stop()
    monkeypatch.setenv("LIVINGLAB_SUBSCRIBERS", str(SHIPPED))
    after = servers.nats(tmp_path / "nats", accounts=local_accounts())
    await after.start()
    async with await nats.connect(after.uri) as nc:
        assert await _state(nc) == {"PROGRAM": (1, 1)}
    await after.stop()


def test_faults_of_the_file_are_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "subscribers.yaml"
    path.write_text(
        "subscribers:\n- {name: A b}\n- {name: a, hears: all}\n- {name: b, hears: institution}\n"
        '- {name: c, subjects: ["a..b"]}\n- {name: d, subjects: ["assessment.v1.>"], more: 1}\n'
    )
    with pytest.raises(Refused) as refused:
        read(path)
    assert [violation.field for violation in refused.value.violations] == [f"subscribers[{i}]" for i in range(5)]
