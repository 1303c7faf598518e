"""What must hold when a cohort has ended, checked against the databases and streams themselves."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nats
from livinglab.assessment.v1 import evaluation_pb2
from livinglab.assessment.v1 import events_pb2 as assessment_events
from livinglab.coaching.v1 import coaching_pb2
from livinglab.common.v1.meta_pb2 import Meta
from livinglab.notify.v1 import service_pb2 as notify
from livinglab.program.v1 import cohort_pb2
from livinglab.program.v1 import events_pb2 as program_events
from nats.js.api import ConsumerConfig, DeliverPolicy
from pymongo import AsyncMongoClient

from chassis import facts, naming
from stack.mailbox import mails

SERVICES = ("assessment", "benchmark", "coaching", "notify", "program")
_FETCH_SECONDS = 2.0


@dataclass(frozen=True)
class Finding:
    """One thing that must hold, and what was found."""

    what: str
    holds: bool
    found: str


@dataclass(frozen=True)
class Fact:
    """One message of a stream."""

    stream: str
    message_id: str
    type: str
    meta: Meta
    payload: bytes


class Evidence:
    """Everything that the servers hold of one cohort."""

    def __init__(self, client: Any, facts: list[Fact], folder: Path | None) -> None:
        self.client = client
        self.facts = facts
        self.mails = folder

    def of(self, event: Any) -> list[Any]:
        """The facts of one kind, parsed."""
        name = event.DESCRIPTOR.full_name
        return [event.FromString(fact.payload) for fact in self.facts if fact.type == name]


async def check(
    mongo_uri: str, nats_url: str, folder: Path | None, cohort: cohort_pb2.Cohort, acknowledged: Counter[str]
) -> list[Finding]:
    """Every invariant, whether it holds or not."""
    async with AsyncMongoClient[dict[str, Any]](mongo_uri) as client:
        evidence = Evidence(client, [fact async for fact in _facts(nats_url)], folder)
        findings = list(_participants(evidence, cohort))
        findings += [await _outboxes_are_empty(evidence), _published_once(evidence), _in_order(evidence)]
        findings += [await _each_effect_once(evidence, cohort), await _nothing_set_aside(evidence)]
        findings += [finding async for finding in _acknowledged_is_stored(evidence, cohort.id, acknowledged)]
        findings += [await _no_message_waits(evidence, cohort.id)]
        findings += [await _mails_match(evidence, cohort.id), await _nothing_counts_as_real(evidence, cohort.id)]
    return findings


def _participants(evidence: Evidence, cohort: cohort_pb2.Cohort) -> Iterator[Finding]:
    parts = cohort.graduated + cohort.withdrawn + cohort.failed
    found = f"{cohort.participants} = {cohort.graduated} + {cohort.withdrawn} + {cohort.failed}"
    yield Finding("participants = graduated + withdrawn + failed", parts == cohort.participants, found)
    ended = [fact for fact in evidence.of(program_events.CohortEnded) if fact.cohort_id == cohort.id]
    told = [(f.graduated, f.withdrawn, f.failed) for f in ended]
    counted = (cohort.graduated, cohort.withdrawn, cohort.failed)
    yield Finding("the end was told once, with the same numbers", told == [counted], f"{len(ended)} CohortEnded")
    ends = Counter[str]()
    for event in (
        program_events.ParticipantGraduated,
        program_events.ParticipantWithdrawn,
        program_events.ParticipantFailed,
    ):
        ends.update(fact.institution for fact in evidence.of(event) if fact.meta.cohort_id == cohort.id)
    once = len(ends) == cohort.participants and set(ends.values()) <= {1}
    yield Finding("each participant ended once", once, f"{sum(ends.values())} facts for {len(ends)} participants")


async def _outboxes_are_empty(evidence: Evidence) -> Finding:
    waiting = {name: await evidence.client[name]["outbox"].count_documents({"pending": True}) for name in SERVICES}
    return Finding("every stored fact is published", not any(waiting.values()), f"{sum(waiting.values())} wait")


def _published_once(evidence: Evidence) -> Finding:
    ids = Counter(fact.message_id for fact in evidence.facts)
    twice = [i for i, times in ids.items() if times > 1]
    return Finding("each fact stands in its stream once", not twice, f"{len(ids)} facts, {len(twice)} of them twice")


def _in_order(evidence: Evidence) -> Finding:
    last: dict[tuple[str, str], int] = {}
    wrong = []
    for fact in evidence.facts:
        key = (fact.stream, fact.meta.aggregate_id)
        if fact.meta.version < last.get(key, 0):
            wrong.append(f"{fact.type} {fact.meta.aggregate_id} {fact.meta.version} after {last[key]}")
        last[key] = fact.meta.version
    found = f"{len(wrong)} of {len(evidence.facts)} out of order"
    return Finding("facts of one aggregate are in order", not wrong, "; ".join([found, *wrong[:3]]))


async def _each_effect_once(evidence: Evidence, cohort: cohort_pb2.Cohort) -> Finding:
    """One result in the race for each evaluation submitted, with the same index."""
    submitted = {
        (fact.institution, fact.period): fact.score.index
        for fact in evidence.of(assessment_events.EvaluationSubmitted)
        if fact.meta.rehearsal == cohort.id
    }
    rows = await evidence.client["benchmark"]["results"].find({"rehearsal": cohort.id}).to_list()
    ranked = {(row["institution"], row["period"]): row["index"] for row in rows}
    same = ranked == submitted and len(rows) == len(submitted)
    return Finding(
        "each submission has one result in the race", same, f"{len(submitted)} submitted, {len(rows)} ranked"
    )


async def _nothing_set_aside(evidence: Evidence) -> Finding:
    dead = sum([await evidence.client[name]["dead_letters"].count_documents({}) for name in SERVICES])
    return Finding("no fact was given up", dead == 0, f"{dead} dead letters")


async def _acknowledged_is_stored(
    evidence: Evidence, cohort_id: str, acknowledged: Counter[str]
) -> AsyncIterator[Finding]:
    async def count(service: str, collection: str, query: dict[str, Any]) -> int:
        found: int = await evidence.client[service][collection].count_documents({"cohort_id": cohort_id, **query})
        return found

    done = await _done_actions(evidence, cohort_id)
    stored = {
        "submitted": await count("assessment", "evaluations", {"state": evaluation_pb2.EVALUATION_STATE_SUBMITTED}),
        "attendance": await count("coaching", "attendance", {}),
        "signed": await count("coaching", "agreements", {}),
        "drafted": await count("coaching", "plans", {}),
        "actions": done,
    }
    for what, number in stored.items():
        said = acknowledged[what]
        yield Finding(f"acknowledged is stored: {what}", number == said, f"{said} acknowledged, {number} stored")


async def _done_actions(evidence: Evidence, cohort_id: str) -> int:
    plans = await evidence.client["coaching"]["plans"].find({"cohort_id": cohort_id}).to_list()
    actions: Iterable[dict[str, Any]] = (action for plan in plans for action in plan["actions"])
    return sum(action["state"] == coaching_pb2.ACTION_STATE_DONE for action in actions)


async def _no_message_waits(evidence: Evidence, cohort_id: str) -> Finding:
    query = {"cohort_id": cohort_id, "state": notify.MESSAGE_STATE_QUEUED}
    waiting = await evidence.client["notify"]["messages"].count_documents(query)
    return Finding("every message was delivered or given up", waiting == 0, f"{waiting} wait")


async def _mails_match(evidence: Evidence, cohort_id: str) -> Finding:
    """A process killed between sending a mail and noting it sends it again: SMTP knows no better, so the repeat carries
    the same Message-ID."""
    what = "each delivered message was mailed, under one Message-ID"
    query = {"cohort_id": cohort_id, "state": notify.MESSAGE_STATE_DELIVERED}
    delivered = [row["_id"] async for row in evidence.client["notify"]["messages"].find(query, {"_id": 1})]
    if evidence.mails is None:
        return Finding(what, True, f"{len(delivered)} delivered to an outside mail server, which was not looked at")
    received = Counter(str(mail["Message-ID"]).strip("<>").partition("@")[0] for mail in mails(evidence.mails))
    mailed = all(received[message_id] for message_id in delivered)
    repeats = sum(received[message_id] - 1 for message_id in delivered)
    return Finding(what, mailed, f"{len(delivered)} delivered, {repeats} repeated")


async def _nothing_counts_as_real(evidence: Evidence, cohort_id: str) -> Finding:
    strays = sum(1 for fact in evidence.facts if fact.meta.cohort_id == cohort_id and fact.meta.rehearsal != cohort_id)
    for service, collection in (("assessment", "evaluations"), ("coaching", "plans"), ("notify", "messages")):
        query = {"cohort_id": cohort_id, "rehearsal": {"$ne": cohort_id}}
        strays += await evidence.client[service][collection].count_documents(query)
    return Finding("the rehearsal left nothing that counts as real", strays == 0, f"{strays} unmarked")


async def _facts(nats_url: str) -> AsyncIterator[Fact]:
    """Every message of every stream, oldest first."""
    nc = await nats.connect(nats_url)
    async with nc:
        js = nc.jetstream()
        for service in SERVICES:
            stream = naming.stream(service)
            last = (await js.stream_info(stream)).state.last_seq
            config = ConsumerConfig(deliver_policy=DeliverPolicy.ALL)
            subscription = await js.subscribe(f"{service}.>", stream=stream, ordered_consumer=True, config=config)
            seen = 0
            while seen < last:
                msg = await subscription.next_msg(timeout=_FETCH_SECONDS)
                seen = msg.metadata.sequence.stream
                headers = msg.headers or {}
                yield Fact(
                    stream, headers[naming.CE_ID], headers["ce-type"], _meta(headers["ce-type"], msg.data), msg.data
                )
            await subscription.unsubscribe()


def _meta(event_type: str, payload: bytes) -> Meta:
    event: Any = facts.kinds()[event_type].FromString(payload)
    meta: Meta = event.meta
    return meta
