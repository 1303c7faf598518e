"""What must hold of facts: each published once and in order, heard by everybody who listens, and in agreement with what
its owner stores."""

from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TypeVar

from chassis import naming
from chassis.events import facts
from stack.doctor.finding import Finding, Named, some
from stack.doctor.ledger import Durable
from stack.doctor.patient import Patient

T = TypeVar("T")

# Shorter than what an inbox keeps.
_REMEMBERED = timedelta(days=29)
_AT_ONCE = 1_000
_AUXILIARY = ("outbox", "inbox", "requests", "dead_letters", "replays", "leases", "names")


async def check(patient: Patient) -> AsyncIterator[Finding]:
    """Every invariant of facts."""
    yield await _published(patient)
    yield await _in_their_streams(patient)
    yield _once(patient)
    yield _in_order(patient)
    yield _readable(patient)
    yield _heard(patient)
    yield await _had_their_effect(patient)
    yield await _known_to_their_owners(patient)
    yield await _nothing_set_aside(patient)


async def _published(patient: Patient) -> Finding:
    query = {"pending": True, "time": {"$lte": patient.since}}
    waiting = {name: await patient.count(name, "outbox", query) for name in facts.services()}
    stuck = [f"{count} of {name}" for name, count in waiting.items() if count]
    return Finding(
        "every stored fact is published",
        not stuck,
        f"{sum(waiting.values())} wait" + (f" ({', '.join(stuck)})" if stuck else ""),
        "the relays publish by themselves once NATS takes messages: look at its disk, its log and livinglab_outbox_*",
    )


async def _in_their_streams(patient: Patient) -> Finding:
    """Streams that were restored from before are behind the outboxes, which keep for an hour what went out."""
    missing = await missing_from_streams(patient)
    names = [f"{service} {event_id}" for service, ids in missing.items() for event_id in ids]
    return Finding(
        "every published fact is in its stream",
        not names,
        some(names, " are not"),
        "livinglab restore publishes them again from the outboxes; livinglab doctor --publish-again does that alone",
    )


async def missing_from_streams(patient: Patient) -> dict[str, list[str]]:
    """Service to the ids of what its outbox still has and its stream no longer."""
    missing: dict[str, list[str]] = {}
    for service in facts.services():
        query = {"pending": {"$exists": False}, "published_time": {"$lte": patient.since}}
        async for row in patient.rows(service, "outbox", query, ["_id"]):
            if not patient.ledger.count("id = ?", row["_id"]):
                missing.setdefault(service, []).append(row["_id"])
    return missing


def _once(patient: Patient) -> Finding:
    question = "SELECT stream, id, count(*) FROM facts WHERE id != '' GROUP BY stream, id HAVING count(*) > 1"
    twice = sum(1 for _ in patient.ledger.ask(question))
    return Finding(
        "each fact stands in its stream once",
        not twice,
        f"{patient.ledger.count()} facts, {twice} of them twice",
        "nothing to do here, for whoever reacts knows a fact by its id; subscribers outside have to as well",
    )


def _in_order(patient: Patient) -> Finding:
    question = """SELECT type, aggregate, version, before FROM (SELECT type, aggregate, version, max(version) OVER
        (PARTITION BY stream, aggregate ORDER BY place ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
        FROM facts) WHERE version < before"""
    wrong = Named()
    wrong += (
        f"{kind} {aggregate} {version} after {before}"
        for kind, aggregate, version, before in patient.ledger.ask(question)
    )
    return Finding(
        "facts of one aggregate are in order",
        not wrong,
        some(wrong, f" of {patient.ledger.count()} out of order"),
        "rebuild what is projected from them: livinglab benchmark rebuild",
    )


def _readable(patient: Patient) -> Finding:
    """One of a kind that only a newer release knows can be: by that release, which tells it and listens to it."""
    newer = patient.ledger.newer
    passed_by = f"; of a newer release: {newer.total()} ({', '.join(sorted(newer))})" if newer else ""
    return Finding(
        "every fact can be read",
        not patient.ledger.unreadable,
        some(patient.ledger.unreadable, " cannot") + passed_by,
        "tell the makers: it is not what its headers say; it stays in its stream, and rebuilds pass it by",
    )


def _heard(patient: Patient) -> Finding:
    """By each durable of ours, but for what has just come."""
    before = patient.since.timestamp()
    behind = []
    for durable in patient.ledger.durables:
        kind = _kind_of(durable.name)
        if durable.waiting and patient.ledger.count(
            "stream = ? AND type = ? AND place > ? AND seconds <= ?", durable.stream, kind, durable.place, before
        ):
            behind.append(f"{durable.name} ({durable.waiting})")
    return Finding(
        "every fact was heard by those who react to it",
        not behind,
        some(behind, f" of {len(patient.ledger.durables)} durables behind"),
        "they go on by themselves once what they need is there: livinglab events lag, and the log of that process",
    )


def _kind_of(durable: str) -> str:
    """Full name of the message: benchmark_v1_EvaluationSubmitted is of livinglab.assessment.v1.EvaluationSubmitted."""
    _, version, name = durable.split("_", 2) if durable.count("_") >= 2 else ("", "", durable)
    return next((kind for kind in facts.kinds() if kind.endswith(f".{version}.{name}")), "")


async def _had_their_effect(patient: Patient) -> Finding:
    """A database that was restored from before has forgotten facts that its service has settled since."""
    missing, total, told = 0, 0, list[str]()
    for durable in patient.ledger.durables:
        lost, keeps_any = 0, False
        for ids in _batches(_settled(patient, durable)):
            known = await _inbox(patient, durable.service, ids)
            total, lost, keeps_any = total + len(ids), lost + len(ids) - len(known), keeps_any or bool(known)
        # Some reactions only tell others, and keep nothing.
        if lost and keeps_any:
            missing += lost
            told.append(f"{durable.name} lacks {lost}")
    return Finding(
        "every fact that was settled had its effect",
        not told,
        f"{missing} of {total} effects missing" + (f": {', '.join(told)}" if told else ""),
        "take away the named durables (nats consumer rm STREAM DURABLE) and restart their processes: they hear "
        "everything from the start, and what they know is passed by",
    )


def _settled(patient: Patient, durable: Durable) -> Iterator[str]:
    recent = (datetime.now(UTC) - _REMEMBERED).timestamp()
    question = "SELECT id FROM facts WHERE stream = ? AND type = ? AND place <= ? AND seconds > ?"
    rows = patient.ledger.ask(question, durable.stream, _kind_of(durable.name), durable.place, recent)
    return (event_id for (event_id,) in rows)


def _batches(items: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(items)
    while batch := list(islice(rest, _AT_ONCE)):
        yield batch


async def _inbox(patient: Patient, service: str, ids: list[str]) -> set[str]:
    known = {row["_id"] async for row in patient.rows(service, "inbox", {"_id": {"$in": ids}}, ["_id"])}
    async for row in patient.rows(service, "dead_letters", {f"headers.{naming.CE_ID}": {"$in": ids}}, ["headers"]):
        known.add(row["headers"][naming.CE_ID])
    return known


async def _known_to_their_owners(patient: Patient) -> Finding:
    """What a fact happened to is in its owner's database, in that version or a later one. Where a kind of thing is kept
    under other names it cannot be looked up, and is passed by."""
    behind, looked, told = 0, 0, list[str]()
    question = "SELECT aggregate, max(version) FROM facts WHERE type = ? AND seconds <= ? GROUP BY aggregate"
    for kind in [kind for kind in patient.ledger.types() if kind in facts.kinds()]:
        service, older, keeps_any = naming.owner(facts.kinds()[kind]), Named(), False
        for batch in _batches(patient.ledger.ask(question, kind, patient.since.timestamp())):
            kept = await _versions(patient, service, [aggregate for aggregate, _ in batch])
            keeps_any = keeps_any or bool(kept)
            looked += len(batch)
            older += (
                f"{aggregate} {kept.get(aggregate, 0)} of {version}"
                for aggregate, version in batch
                if kept.get(aggregate, -1) < version
            )
        if keeps_any and older:
            behind += len(older)
            told.append(f"{kind.rpartition('.')[2]} {some(older)}")
    return Finding(
        "what the facts tell is in their owners' databases",
        not told,
        f"{behind} of {looked} things are older than their facts" + (f": {'; '.join(told[:3])}" if told else ""),
        "that database is from before its facts: restore one that is not older than the streams (livinglab restore)",
    )


async def _versions(patient: Patient, service: str, aggregates: list[str]) -> dict[str, int]:
    """Aggregate to its version in the database; a projection counts by the order of what it shows; what was taken
    out of one has nothing else."""
    found: dict[str, int] = {}
    query = {"_id": {"$in": aggregates}, "$or": [{"version": {"$exists": True}}, {"order": {"$exists": True}}]}
    for collection in [name for name in await patient.collections(service) if name not in _AUXILIARY]:
        async for row in patient.rows(service, collection, query, ["version", "order"]):
            version = max(int(row.get("version", 0)), int(row.get("order", 0)))
            found[row["_id"]] = max(found.get(row["_id"], -1), version)
    return found


async def _nothing_set_aside(patient: Patient) -> Finding:
    dead = {name: await patient.count(name, "dead_letters", {}) for name in facts.services()}
    return Finding(
        "no fact was given up",
        not any(dead.values()),
        f"{sum(dead.values())} dead letters",
        "livinglab events dead-letters says why; mend the cause, then livinglab events replay",
    )
