"""The client for programs outside, on a real broker: it hears everything once, goes on where it was, looks back."""

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nats
import pytest
from livinglab.assessment.v1 import events_pb2
from livinglab.coaching.v1 import events_pb2 as coaching_pb2
from livinglab.events import Fact, FileMemory, Memory, durable_name, forget, kinds, replay, stream_of, subscribe

from chassis import naming
from chassis.events import facts as ours
from chassis.events.durables import lags
from tests.harness.service import publish
from tests.harness.waiting import eventually

WEST_JAVA = "assessment.v1.*.32.>"


async def saved(url: str, version: int, institution: str = "32.11", aggregate: str = "e1", **meta: str) -> None:
    event = events_pb2.AnswersSaved(institution=institution, evaluation_id=aggregate, answered=version)
    await publish(url, event, version=version, aggregate_id=aggregate, **meta)


async def heard(subscription: Any, count: int) -> list[Fact]:
    """The first facts of it, all settled."""
    found: list[Fact] = []
    async with asyncio.timeout(60), subscription as facts:
        async for fact in facts:
            found.append(fact)
            if len(found) == count:
                break
    return found


def answered(facts: list[Fact]) -> list[int]:
    return [fact.data.answered for fact in facts]


def test_it_knows_every_fact_and_every_stream_as_the_services_do() -> None:
    assert dict(kinds()) == dict(ours.kinds())
    for kind in kinds().values():
        assert stream_of(naming.subject_filter(kind)) == naming.stream(naming.owner(kind))


async def test_facts_of_the_subject_come_decoded_and_an_application_goes_on_where_it_was(nats_url: str) -> None:
    for version in (1, 2, 3):
        await saved(nats_url, version)
    await saved(nats_url, 1, institution="33.01", aggregate="e2")
    first = await heard(subscribe(WEST_JAVA, durable="my-app", servers=nats_url), 2)
    assert answered(first) == [1, 2]
    assert (first[0].name, first[0].subject, first[0].version, first[0].stream) == (
        "AnswersSaved",
        "e1",
        1,
        "ASSESSMENT",
    )
    await saved(nats_url, 4)
    assert answered(await heard(subscribe(WEST_JAVA, durable="my-app", servers=nats_url), 2)) == [3, 4]


async def test_a_fact_whose_turn_raised_comes_again_with_those_behind_it(nats_url: str) -> None:
    for version in (1, 2, 3):
        await saved(nats_url, version)

    async def failing() -> None:
        async with subscribe(WEST_JAVA, durable="my-app", servers=nats_url) as facts:
            async for fact in facts:
                if fact.version == 2:
                    raise LookupError

    with pytest.raises(LookupError):
        await failing()
    assert answered(await heard(subscribe(WEST_JAVA, durable="my-app", servers=nats_url), 2)) == [2, 3]


async def test_a_subject_that_is_added_later_is_heard_from_its_beginning(nats_url: str) -> None:
    await saved(nats_url, 1)
    await publish(nats_url, coaching_pb2.PlanApproved(institution="32.11", plan_id="p"), aggregate_id="p")
    await publish(nats_url, events_pb2.VisitAsked(institution="32.11"), version=2, aggregate_id="e1")
    one = "assessment.v1.AnswersSaved.>"
    assert len(await heard(subscribe(one, durable="my-app", servers=nats_url), 1)) == 1
    more = (one, "assessment.v1.VisitAsked.>", "coaching.v1.>")
    found = await heard(subscribe(*more, durable="my-app", servers=nats_url), 2)
    assert {fact.name for fact in found} == {"VisitAsked", "PlanApproved"}


async def test_a_repeat_is_handed_out_once_also_after_a_restart(nats_url: str, tmp_path: Path) -> None:
    wide, narrow = "assessment.v1.>", "assessment.v1.AnswersSaved.32.>"
    for version in (1, 2):
        await saved(nats_url, version)
    memory = FileMemory(tmp_path / "settled")
    first = await heard(subscribe(wide, durable="my-app", servers=nats_url, memory=memory), 2)
    memory.close()
    await saved(nats_url, 3)
    memory = FileMemory(tmp_path / "settled")
    found = await heard(subscribe(wide, narrow, durable="my-app", servers=nats_url, memory=memory), 1)
    memory.close()
    assert (answered(first), answered(found)) == ([1, 2], [3])


async def test_a_gap_in_the_versions_of_a_thing_is_told(nats_url: str) -> None:
    for version in (1, 2, 5, 4):
        await saved(nats_url, version)
    await saved(nats_url, 9, aggregate="e2")
    found = await heard(subscribe(WEST_JAVA, servers=nats_url), 5)
    assert [(fact.version, fact.missed, fact.stale) for fact in found] == [
        (1, 0, False),
        (2, 0, False),
        (5, 2, False),
        (4, 0, True),
        (9, 0, False),
    ]


async def test_the_past_is_replayed_from_a_time_or_a_place_and_ends(nats_url: str) -> None:
    await saved(nats_url, 1)
    await eventually(lambda: _later(nats_url))
    then = datetime.now(UTC)
    for version in (2, 3):
        await saved(nats_url, version)

    async def all_of(**how: Any) -> list[int]:
        async with aclosing(replay(WEST_JAVA, servers=nats_url, **how)) as facts:
            return [fact.version async for fact in facts]

    assert await all_of() == [1, 2, 3]
    assert await all_of(since=then) == [2, 3]
    assert await all_of(since=3) == [3]
    with pytest.raises(ValueError, match="has no zone"):
        await all_of(since=datetime(2022, 11, 7))  # noqa: DTZ001
    with pytest.raises(ValueError, match="of which stream"):
        await replay("assessment.v1.>", "coaching.v1.>", since=3, servers=nats_url).__anext__()


async def _later(url: str) -> bool:
    """The broker's clock is past the only fact."""
    async with await nats.connect(url) as nc:
        message = await nc.jetstream().get_msg("ASSESSMENT", 1)
    return bool(message.time and message.time < datetime.now(UTC))


async def test_two_processes_of_an_application_share_and_what_is_forgotten_begins_anew(nats_url: str) -> None:
    for version in range(1, 7):
        await saved(nats_url, version)
    found: list[int] = []

    async def one() -> None:
        async with subscribe(WEST_JAVA, durable="my-app", servers=nats_url) as facts:
            async for fact in facts:
                found.append(fact.version)

    tasks = [asyncio.create_task(one()), asyncio.create_task(one())]
    await eventually(lambda: len(found) == 6)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert sorted(found) == list(range(1, 7))
    assert await forget("my-app", servers=nats_url) == [durable_name("my-app", WEST_JAVA)]
    assert len(await heard(subscribe(WEST_JAVA, durable="my-app", servers=nats_url), 6)) == 6


async def test_it_waits_for_a_service_that_has_not_published_and_lag_tells_of_it(nats_url: str) -> None:
    waiting = asyncio.create_task(heard(subscribe("assessment.v1.>", durable="bi", servers=nats_url), 1))
    await saved(nats_url, 1)
    assert answered(await waiting) == [1]
    await saved(nats_url, 2)
    async with await nats.connect(nats_url) as nc:
        told = [lag async for lag in lags(nc.jetstream(), "assessment")]
    assert [(lag.durable, lag.waiting, lag.listening) for lag in told] == [
        (durable_name("bi", "assessment.v1.>"), 1, False)
    ]


@pytest.mark.parametrize("subject", ["", "a..b", "assessment.v1.>.x", "with space"])
def test_what_is_no_subject_is_refused(subject: str) -> None:
    with pytest.raises(ValueError, match="is no subject"):
        subscribe(subject)


def test_what_is_remembered_is_bounded() -> None:
    memory = Memory(kept=2)
    facts = [Fact(str(n), "", "", str(n), n, None, "", "", n, None, b"", {}) for n in range(3)]
    for fact in facts:
        memory.keep(fact)
    assert [memory.knows(fact) for fact in facts] == [False, True, True]
    assert memory.newest(facts[0]) is None
