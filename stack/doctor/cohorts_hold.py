"""What must hold of cohorts: participants that add up, ends that were told once, workflows for what runs."""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

from livinglab.notify.v1 import service_pb2 as notify
from livinglab.program.v1 import cohort_pb2, events_pb2
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from chassis.config import Settings
from chassis.temporal.client import connect, tls
from programs.names import COHORT_ATTRIBUTE, workflow_id
from stack.doctor.finding import Finding, Named, some
from stack.doctor.patient import Patient

_LIVE = (cohort_pb2.COHORT_STATE_RUNNING, cohort_pb2.COHORT_STATE_PAUSED)
_ENDS = {
    events_pb2.ParticipantGraduated.DESCRIPTOR.full_name: cohort_pb2.PARTICIPANT_STATE_GRADUATED,
    events_pb2.ParticipantWithdrawn.DESCRIPTOR.full_name: cohort_pb2.PARTICIPANT_STATE_WITHDRAWN,
    events_pb2.ParticipantFailed.DESCRIPTOR.full_name: cohort_pb2.PARTICIPANT_STATE_FAILED,
}
_AGAIN = events_pb2.ParticipantReadmitted.DESCRIPTOR.full_name
# Where what is done in a cohort is marked with it.
_MARKED = (("assessment", "evaluations"), ("coaching", "plans"), ("notify", "messages"))
_OLDER = "one of them is from before the other: restore both from one backup (livinglab restore)"


async def check(patient: Patient) -> AsyncIterator[Finding]:
    """Every invariant of cohorts, each over all of them."""
    counts, ends, people, strays = Named(), Named(), Named(), Named()
    cohorts = 0
    async for cohort in patient.rows("program", "cohorts", {}, ["_id"]):
        cohorts += 1
        async with patient.at_once() as session:
            row, states = await _as_it_stands(patient, cohort["_id"], session)
        counts += _adds_up(row, states)
        if row["state"] not in _LIVE and row["end_time"] <= patient.since:
            ends += _ended_once(patient, row, states)
        people += _people_ended(patient, row, states)
        strays += await _unmarked(patient, row)
    of = f" of {cohorts} cohorts"
    yield Finding("participants = active + graduated + withdrawn + failed", not counts, some(counts, of), _OLDER)
    yield Finding("a cohort's end was told once, with the same numbers", not ends, some(ends, of), _OLDER)
    yield Finding("each participant's end is told as it is kept", not people, some(people, " differ"), _OLDER)
    yield Finding(
        "no rehearsal left anything that counts as real",
        not strays,
        some(strays, " unmarked"),
        "tell the makers: what is unmarked counts in the real race",
    )
    yield await _no_message_waits(patient)
    if patient.servers.temporal:
        yield await _workflows(patient)


async def _as_it_stands(patient: Patient, cohort_id: str, session: Any) -> tuple[dict[str, Any], dict[str, int]]:
    """The cohort's document, and each participant's document id to its state, of one instant."""
    [row] = [row async for row in patient.rows("program", "cohorts", {"_id": cohort_id}, session=session)]
    found = patient.rows("program", "participants", {"cohort": cohort_id}, ["state"], session)
    return row, {participant["_id"]: participant["state"] async for participant in found}


def _adds_up(row: dict[str, Any], states: dict[str, int]) -> list[str]:
    active = sum(state == cohort_pb2.PARTICIPANT_STATE_ACTIVE for state in states.values())
    if row["participants"] != len(states):
        return [f"{row['_id']} says {row['participants']} and has {len(states)}"]
    return [f"{row['_id']} has ended with {active} active"] if row["state"] not in _LIVE and active else []


def _ended_once(patient: Patient, row: dict[str, Any], states: dict[str, int]) -> list[str]:
    name = events_pb2.CohortEnded.DESCRIPTOR.full_name
    found = patient.ledger.ask("SELECT payload FROM facts WHERE type = ? AND aggregate = ?", name, row["_id"])
    told = [events_pb2.CohortEnded.FromString(payload) for (payload,) in found]
    tally = Counter(states.values())
    kept = tuple(tally[state] for state in _ENDS.values())
    if [(end.graduated, end.withdrawn, end.failed) for end in told] != [kept]:
        return [f"{row['_id']} was told {len(told)} times, kept are {kept}"]
    return []


def _people_ended(patient: Patient, row: dict[str, Any], states: dict[str, int]) -> list[str]:
    """The last thing told of each, and no end twice without a readmission between."""
    kinds = (*_ENDS, _AGAIN)
    question = f"""SELECT aggregate, type FROM facts WHERE cohort = ? AND type IN ({", ".join("?" * len(kinds))})
        AND seconds <= ? ORDER BY place"""
    last: dict[str, str] = {}
    wrong = []
    for participant, kind in patient.ledger.ask(question, row["_id"], *kinds, patient.since.timestamp()):
        if kind in _ENDS and last.get(participant) in _ENDS:
            wrong.append(f"{participant} ended twice")
        last[participant] = kind
    for participant, kind in last.items():
        if kind in _ENDS and participant in states and states[participant] != _ENDS[kind]:
            wrong.append(f"{participant} is {states[participant]}, told as {_ENDS[kind]}")
    if row["state"] not in _LIVE and row["end_time"] <= patient.since:
        wrong += [f"{participant} ended untold" for participant in states if participant not in last]
    return wrong


async def _unmarked(patient: Patient, row: dict[str, Any]) -> list[str]:
    realm = str(row.get("realm") or row["_id"]) if row["rehearsal"] else ""
    strays = patient.ledger.count("cohort = ? AND rehearsal != ?", row["_id"], realm)
    for service, collection in _MARKED:
        strays += await patient.count(service, collection, {"cohort_id": row["_id"], "rehearsal": {"$ne": realm}})
    return [f"{strays} of {row['_id']}"] if strays else []


async def _no_message_waits(patient: Patient) -> Finding:
    query: dict[str, Any] = {"state": notify.MESSAGE_STATE_QUEUED}
    if not patient.is_over:
        # A mail server may ask to come again later.
        query["due_time"] = {"$lte": patient.since}
    waiting = await patient.count("notify", "messages", query)
    return Finding(
        "every message was delivered or given up",
        waiting == 0,
        f"{waiting} wait",
        "look at the log of notify and at the mail server: livinglab notify list COHORT --state queued",
    )


async def _workflows(patient: Patient) -> Finding:
    """What runs by the database runs in Temporal, cohorts and participants, and nothing else does."""
    client = await connect(patient.servers.temporal, patient.servers.namespace, tls(Settings()))
    wrong = Named()
    async for cohort in patient.rows("program", "cohorts", {"state": {"$in": list(_LIVE)}}, ["launch_time"]):
        if cohort["launch_time"] <= patient.since:
            wrong += await _of_cohort(patient, client, cohort["_id"])
    async for run in client.list_workflows("WorkflowType = 'ProgramWorkflow' AND ExecutionStatus = 'Running'"):
        cohort_id = run.id.partition("/")[2]
        live = await patient.count("program", "cohorts", {"_id": cohort_id, "state": {"$in": list(_LIVE)}})
        if not live and run.start_time <= patient.since:
            wrong += [f"{cohort_id} runs in Temporal alone"]
    return Finding("what runs in the database runs in Temporal", not wrong, some(wrong, " differ"), _OLDER)


async def _of_cohort(patient: Patient, client: Client, cohort_id: str) -> list[str]:
    try:
        described = await client.get_workflow_handle(workflow_id(cohort_id)).describe()
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
        return [f"{cohort_id} has no workflow"]
    if described.status != WorkflowExecutionStatus.RUNNING:
        return [f"{cohort_id} has ended in Temporal"]
    of_cohort = f"{COHORT_ATTRIBUTE} = '{cohort_id}' AND WorkflowType = 'ParticipantWorkflow'"
    runs = client.list_workflows(f"{of_cohort} AND ExecutionStatus = 'Running'")
    running = {run.id.rpartition("/")[2] async for run in runs}
    rows = patient.rows("program", "participants", {"cohort": cohort_id}, ["institution", "state"])
    active = {row["institution"] async for row in rows if row["state"] == cohort_pb2.PARTICIPANT_STATE_ACTIVE}
    return [f"{cohort_id}/{code} runs on one side only" for code in sorted(running ^ active)]
