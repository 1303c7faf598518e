"""`livinglab events` on a real broker and a real service: facts as they come, what was set aside, and its replay."""

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from typing import Any

import pytest
from livinglab.assessment.v1 import evaluation_pb2, events_pb2
from livinglab.coaching.v1 import events_pb2 as coaching_pb

from chassis import naming
from chassis.events import stream
from stack.issuer import Issuer
from tests.harness.command import answered, begun, environment, livinglab
from tests.harness.servers import Servers
from tests.harness.service import Running, publish, running_service
from tests.harness.waiting import eventually

SUBMITTED = events_pb2.EvaluationSubmitted.DESCRIPTOR.full_name


async def submitted(nats_url: str, institution: str = "32.11", **meta: Any) -> None:
    event = events_pb2.EvaluationSubmitted(institution=institution, period="2022")
    event.meta.actor = "head of Sumedang"
    await publish(nats_url, event, aggregate_id=f"{institution}:2022", **meta)


async def test_the_facts_of_the_past_are_shown_as_cloud_events_a_line_each(nats_url: str) -> None:
    await submitted(nats_url, event_id="f1", cohort_id="c1")
    await submitted(nats_url, "32.04", event_id="f2")
    tail = ("events", "tail", "--since", "1h", "--count", "2", "--json")
    code, out, err = await livinglab(*tail, nats=nats_url)
    assert (code, err) == (0, "following assessment; Ctrl-C ends it\n")
    first, second = (json.loads(line) for line in out.splitlines())
    assert (first["id"], first["type"], first["subject"], first["sequence"]) == ("f1", SUBMITTED, "32.11:2022", "1")
    assert (first["data"]["institution"], first["data"]["meta"]["cohort_id"]) == ("32.11", "c1")
    assert (first["stream"], first["place"], second["place"], second["id"]) == ("ASSESSMENT", 1, 2, "f2")
    code, out, _ = await livinglab("events", "tail", "--since", "start", "--count", "1", nats=nats_url)
    assert (code, len(out.splitlines())) == (0, 1)
    assert "assessment.v1.EvaluationSubmitted  32.11:2022 v1  in c1  by head of Sumedang" in out


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (("--institution", "32.04"), "f2"),
        (("--aggregate", "32.04:2022"), "f2"),
        (("--cohort", "c2"), "f3"),
        (("--service", "coaching"), "f4"),
        (("--type", "VisitHeld"), "f4"),
        (("--service", "coaching", "--type", "livinglab.coaching.v1.VisitHeld"), "f4"),
    ],
)
async def test_facts_are_chosen_by_what_they_are_about(nats_url: str, chosen: tuple[str, ...], expected: str) -> None:
    await submitted(nats_url, event_id="f1", cohort_id="c1")
    await submitted(nats_url, "32.04", event_id="f2", cohort_id="c1")
    await submitted(nats_url, event_id="f3", cohort_id="c2")
    visit = coaching_pb.VisitHeld(institution="32.11", host="32.04", visit_id="v1")
    await publish(nats_url, visit, event_id="f4", aggregate_id="v1")
    tail = ("events", "tail", *chosen, "--since", "start", "--count", "1", "--json")
    code, out, _ = await livinglab(*tail, nats=nats_url)
    assert (code, json.loads(out)["id"]) == (0, expected)


async def test_a_tail_shows_what_comes_from_now_on_until_it_is_interrupted(nats_url: str) -> None:
    await submitted(nats_url, event_id="before")
    tail = await begun(("events", "tail", "--json"), "", {"nats": nats_url})
    assert tail.stdout
    assert tail.stderr
    assert b"following assessment" in await tail.stderr.readline()
    await submitted(nats_url, event_id="now")
    assert json.loads(await tail.stdout.readline())["id"] == "now"
    tail.send_signal(signal.SIGINT)
    assert await tail.communicate() == (b"", b"")
    assert tail.returncode == 0


async def test_a_fact_of_a_kind_that_nobody_here_knows_is_shown_as_it_is(nats_url: str) -> None:
    await submitted(nats_url, event_id="f1")
    nc = await stream.connect(nats_url, "test")
    headers = {naming.CE_ID: "f2", "ce-type": "livinglab.assessment.v1.FromTheFuture"}
    await nc.jetstream().publish("assessment.v1.FromTheFuture.32.11", b"\x01\x02", headers=headers)
    await nc.close()
    tail = ("events", "tail", "--since", "start", "--count", "2")
    code, out, _ = await livinglab(*tail, "--json", nats=nats_url)
    assert (code, json.loads(out.splitlines()[1])["data_base64"]) == (0, "AQI=")
    code, out, _ = await livinglab(*tail, nats=nats_url)
    assert (code, "of a type that this version does not know" in out) == (0, True)


@pytest.mark.parametrize(
    "wrong",
    [
        ("tail", "--since", "yesterday"),
        ("tail", "--since", "2022-11-07T09:00"),
        ("tail", "--service", "payroll"),
        ("tail", "--type", "NothingHappened"),
        ("tail", "--service", "coaching", "--type", "EvaluationSubmitted"),
        ("replay",),
        ("replay", "ASSESSMENT:1", "--all"),
        ("dead-letters", "--service", "payroll"),
    ],
)
async def test_what_cannot_be_meant_is_wrong_usage(wrong: tuple[str, ...]) -> None:
    code, out, err = await livinglab("events", *wrong)
    assert (code, out) == (2, "")
    assert err


async def test_without_a_broker_it_says_so() -> None:
    code, out, err = await livinglab("events", "tail", nats="nats://127.0.0.1:1")
    assert (code, out, err) == (1, "", "refused: NATS does not answer: try again\n")


@pytest.fixture
async def benchmark(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[Running]:
    async with running_service("benchmark", servers, issuer, nats_url) as running:
        yield running


async def unreadable(benchmark: Running, count: int) -> None:
    """Facts that benchmark sets aside."""
    nc = await stream.connect(benchmark.nats_url, "test")
    await stream.ensure_stream(nc.jetstream(), "assessment", 1)
    for _ in range(count):
        await nc.jetstream().publish(
            "assessment.v1.EvaluationSubmitted.32.11", b"\xff", headers={"ce-type": SUBMITTED, naming.CE_SUBJECT: "e1"}
        )
    await nc.close()

    async def there() -> bool:
        return bool(await benchmark.db["dead_letters"].count_documents({}) == count)

    await eventually(there)


async def mended(benchmark: Running, letter_id: str) -> None:
    """The letter as it was before something broke it."""
    event = events_pb2.EvaluationSubmitted(
        institution="32.11",
        evaluation_id="e1",
        instrument="spbe-59-2020",
        period="2022",
        stage=evaluation_pb2.STAGE_SELF_ASSESSMENT,
        score=evaluation_pb2.Score(index="2.00", predicate="Cukup"),
    )
    event.meta.aggregate_id, event.meta.version = "e1", 1
    event.meta.event_id = letter_id
    change = {"$set": {"payload": event.SerializeToString()}}
    await benchmark.db["dead_letters"].update_one({"_id": letter_id}, change)


async def test_letters_are_listed_replayed_and_gone(benchmark: Running) -> None:
    here: Any = {"token": benchmark.issuer.token("platform", subject="p1"), "benchmark": benchmark.address}
    this = ("--service", "benchmark")
    code, out, _ = await livinglab("events", "dead-letters", *this, **here)
    assert (code, out) == (0, "no service has set a fact aside\n")
    await unreadable(benchmark, 2)
    first, second = await answered("events", "dead-letters", *this, **here)
    assert (first["service"], first["id"], first["type"], first["tries"]) == (
        "benchmark",
        "ASSESSMENT:1",
        SUBMITTED,
        1,
    )
    assert ("DecodeError" in first["reason"], first["data_base64"]) == (True, "/w==")
    code, out, _ = await livinglab("events", "dead-letters", *this, **here)
    assert (code, "ASSESSMENT:2" in out, "DecodeError" in out) == (0, True, True)

    code, out, err = await livinglab("events", "replay", "ASSESSMENT:1", *this, "--json", **here)
    [again] = json.loads(out)
    assert (code, err, again["outcome"]) == (1, "1 of 1 failed again\n", "failed")
    assert "DecodeError" in again["reason"]

    await mended(benchmark, "ASSESSMENT:1")
    code, out, err = await livinglab("events", "replay", *this, "--type", "EvaluationSubmitted", "--json", **here)
    assert (code, err) == (1, "1 of 2 failed again\n")
    assert {row["letter"]: row["outcome"] for row in json.loads(out)} == {
        "ASSESSMENT:1": "applied",
        "ASSESSMENT:2": "failed",
    }
    [left] = await answered("events", "dead-letters", *this, **here)
    assert (left["id"], left["tries"]) == (second["id"], 2)
    [row] = await answered("events", "replay", "ASSESSMENT:1", *this, **here)
    assert row["outcome"] == "replayed before"
    code, _, err = await livinglab("events", "replay", "ASSESSMENT:7", *this, **here)
    assert (code, err) == (1, "ASSESSMENT:7 was set aside by no service\n")


async def test_a_service_that_is_down_hides_no_letter_of_another(benchmark: Running) -> None:
    await unreadable(benchmark, 1)
    token = benchmark.issuer.token("manager")
    both = ("--service", "assessment", "--service", "benchmark")
    where = {"assessment": "127.0.0.1:1", "benchmark": benchmark.address}
    code, out, err = await livinglab("events", "dead-letters", *both, token=token, **where)
    assert (code, "ASSESSMENT:1" in out) == (1, True)
    assert err.startswith("assessment refused: ")
    code, out, err = await livinglab("events", "replay", *both, token=token, **where)
    assert code == 1
    assert "benchmark refused: ReplayDeadLetters is for platform" in err


async def test_a_tail_that_nobody_reads_any_more_ends_without_complaint(nats_url: str) -> None:
    await submitted(nats_url, event_id="f1")
    line = f"set -o pipefail; {sys.executable} -m cli events tail --since start | head -n 1"
    told = environment("", {"nats": nats_url})
    tail = await asyncio.create_subprocess_exec("bash", "-c", line, env=told, stdout=PIPE, stderr=PIPE)
    ended = asyncio.create_task(tail.communicate())
    while not ended.done():
        await submitted(nats_url)
        await asyncio.wait({ended}, timeout=0.1)
    out, err = ended.result()
    assert (len(out.splitlines()), err, tail.returncode) == (1, b"following assessment; Ctrl-C ends it\n", 0)


async def test_letters_are_given_up_with_a_reason(benchmark: Running) -> None:
    here: Any = {"token": benchmark.issuer.token("platform", subject="p1"), "benchmark": benchmark.address}
    await unreadable(benchmark, 1)
    [listed] = await answered("events", "dead-letters", "--service", "benchmark", **here)
    assert listed["direction"] == "in"
    discard = ("events", "discard", "ASSESSMENT:1", "--service", "benchmark")
    code, _, err = await livinglab(*discard, **here)
    assert (code, "--reason" in err) == (2, True)
    [given_up] = await answered(*discard, "--reason", "a test wrote it", **here)
    assert (given_up["outcome"], given_up["reason"]) == ("discarded", "a test wrote it")
    assert await answered("events", "dead-letters", "--service", "benchmark", **here) == []
    code, _, err = await livinglab(*discard[:2], "ASSESSMENT:9", *discard[3:], "--reason", "none", **here)
    assert (code, err) == (1, "ASSESSMENT:9 was set aside by no service\n")


async def test_who_is_behind_is_shown_also_where_it_is_nobody_of_ours(benchmark: Running) -> None:
    nc = await stream.connect(benchmark.nats_url, "test")
    await stream.ensure_stream(nc.jetstream(), "assessment", 1)
    await nc.jetstream().add_consumer("ASSESSMENT", durable_name="warehouse", filter_subject="assessment.>")
    await publish(benchmark.nats_url, events_pb2.AnswersSaved(institution="32.11"), event_id="f1")
    await nc.close()

    async def only_the_stranger() -> bool:
        rows = await answered("events", "lag", "--service", "assessment", nats=benchmark.nats_url)
        return [(row["consumer"], row["waiting"], row["listening"]) for row in rows] == [("warehouse", 1, False)]

    await eventually(only_the_stranger)
    every = await answered("events", "lag", "--all", "--service", "assessment", nats=benchmark.nats_url)
    assert {"warehouse", "benchmark_v1_EvaluationSubmitted"} <= {row["consumer"] for row in every}
    code, out, _ = await livinglab("events", "lag", nats=benchmark.nats_url)
    assert (code, "warehouse" in out, "benchmark_v1" in out) == (0, True, False)
