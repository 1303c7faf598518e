"""What must hold when a cohort has ended: everything that holds on any platform, and what only the rehearsal can
know."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from livinglab.assessment.v1 import evaluation_pb2
from livinglab.coaching.v1 import coaching_pb2
from livinglab.notify.v1 import service_pb2 as notify
from livinglab.program.v1 import cohort_pb2
from livinglab.program.v1 import events_pb2 as program_events

from stack.doctor.examination import PARTS
from stack.doctor.finding import Finding
from stack.doctor.patient import Patient, Servers, examined
from stack.mailbox import mails
from stack.rehearsal.stage import Writes

__all__ = ["Finding", "as_acknowledged", "check"]


async def check(servers: Servers, folder: Path | None, cohort: cohort_pb2.Cohort, writes: Writes) -> list[Finding]:
    """Every invariant, whether it holds or not. `folder` is where its mails are; None where nobody knows. `writes` are
    the actors'."""
    async with examined(servers, timedelta()) as patient:
        findings = list(_participants(patient, cohort))
        for part in PARTS:
            findings += [finding async for finding in part.check(patient)]
        findings += [finding async for finding in _acknowledged_is_stored(patient, cohort.id, writes)]
        findings.append(await _mails_match(patient, folder, cohort.id))
    return findings


def _participants(patient: Patient, cohort: cohort_pb2.Cohort) -> Iterator[Finding]:
    parts = cohort.graduated + cohort.withdrawn + cohort.failed
    found = f"{cohort.participants} = {cohort.graduated} + {cohort.withdrawn} + {cohort.failed}"
    yield Finding("participants = graduated + withdrawn + failed", parts == cohort.participants, found)
    ended = [fact for fact in patient.ledger.of(program_events.CohortEnded) if fact.cohort_id == cohort.id]
    told = [(f.graduated, f.withdrawn, f.failed) for f in ended]
    counted = (cohort.graduated, cohort.withdrawn, cohort.failed)
    yield Finding("the end was told once, with the same numbers", told == [counted], f"{len(ended)} CohortEnded")
    ends = Counter[str]()
    for event in (
        program_events.ParticipantGraduated,
        program_events.ParticipantWithdrawn,
        program_events.ParticipantFailed,
    ):
        ends.update(fact.institution for fact in patient.ledger.of(event) if fact.meta.cohort_id == cohort.id)
    once = len(ends) == cohort.participants and set(ends.values()) <= {1}
    yield Finding("each participant ended once", once, f"{sum(ends.values())} facts for {len(ends)} participants")


async def _acknowledged_is_stored(patient: Patient, cohort_id: str, writes: Writes) -> AsyncIterator[Finding]:
    async def count(service: str, collection: str, query: dict[str, Any]) -> int:
        return await patient.count(service, collection, {"cohort_id": cohort_id, **query})

    done = await _done_actions(patient, cohort_id)
    stored = {
        "submitted": await count("assessment", "evaluations", {"state": evaluation_pb2.EVALUATION_STATE_SUBMITTED}),
        "attendance": await count("coaching", "attendance", {}),
        "signed": await count("coaching", "agreements", {}),
        "drafted": await count("coaching", "plans", {}),
        "actions": done,
    }
    for what, number in stored.items():
        yield as_acknowledged(writes, what, number)


def as_acknowledged(writes: Writes, what: str, stored: int) -> Finding:
    """Whether what was acknowledged is stored, and nothing beside it but what was never answered."""
    said, never = writes.acknowledged[what], writes.unanswered[what]
    found = f"{said} acknowledged, {stored} stored" + (f", {never} never answered" if never else "")
    return Finding(f"acknowledged is stored: {what}", said <= stored <= said + never, found)


async def _done_actions(patient: Patient, cohort_id: str) -> int:
    plans = [plan async for plan in patient.rows("coaching", "plans", {"cohort_id": cohort_id}, ["actions"])]
    actions: Iterable[dict[str, Any]] = (action for plan in plans for action in plan["actions"])
    return sum(action["state"] == coaching_pb2.ACTION_STATE_DONE for action in actions)


async def _mails_match(patient: Patient, folder: Path | None, cohort_id: str) -> Finding:
    """A process killed between sending a mail and noting it sends it again: SMTP knows no better, so the repeat carries
    the same Message-ID."""
    what = "each delivered message was mailed, under one Message-ID"
    # Those whose address nobody knows find what they are told in their inbox: no mail is sent.
    mailed_only = {"$ne": notify.CHANNEL_INBOX}
    query = {"cohort_id": cohort_id, "state": notify.MESSAGE_STATE_DELIVERED, "channel": mailed_only}
    delivered = [row["_id"] async for row in patient.rows("notify", "messages", query, ["_id"])]
    if folder is None:
        return Finding(what, True, f"{len(delivered)} delivered to an outside mail server, which was not looked at")
    received = Counter(str(mail["Message-ID"]).strip("<>").partition("@")[0] for mail in mails(folder))
    mailed = all(received[message_id] for message_id in delivered)
    repeats = sum(received[message_id] - 1 for message_id in delivered)
    return Finding(what, mailed, f"{len(delivered)} delivered, {repeats} repeated")
