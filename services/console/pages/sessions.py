"""Sessions of a coach and of a region: all of them; of one its agenda, who came, notes, agreed steps, what was thought
of it."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

import grpc
import grpc.aio
from livinglab.coaching.v1 import assignment_service_pb2, coaching_pb2, minutes_pb2
from livinglab.coaching.v1 import minutes_service_pb2 as pb
from livinglab.coaching.v1 import service_pb2 as coaching_pb
from livinglab.common.v1 import options_pb2
from livinglab.program.v1 import duty_service_pb2
from starlette.requests import Request
from starlette.responses import Response

from chassis.errors import Refused, denied, invalid_field, not_found
from chassis.status import from_rpc_error
from services.console.pages import shown
from services.console.session import people
from services.console.session.neighbours import Neighbours, Person
from services.console.session.sessions import REGION_ROLES, Session

READERS = (options_pb2.ROLE_COACH, *REGION_ROLES)
_WRITERS = (options_pb2.ROLE_OPERATOR, options_pb2.ROLE_HEAD, options_pb2.ROLE_COACH)
_CANCELLED = coaching_pb2.SESSION_STATE_CANCELLED
_PEOPLE = minutes_pb2.AGENDA_SOURCE_PEOPLE
# Empty lines of a form for steps that were agreed.
_SPARE = 3
_MOST_STEPS = 50
_MOST_DIGITS = 1


async def listed(request: Request) -> Response:
    """What is to come first, then what was, the newest first; of each the institutions that this person looks after,
    with how far its minutes are."""
    session = await people.session_of(request)
    if not session.has(*READERS):
        raise denied("ROLE", "sessions are for coaches and regions")
    person, neighbours = people.person_of(session), request.app.state.neighbours
    whose = await _whose(person, neighbours, session)
    cohorts = sorted({cohort for cohort, _ in whose})
    kept = await asyncio.gather(*(_minutes(person, neighbours, *one) for one in whose))
    held = await asyncio.gather(*(_sessions(person, neighbours, cohort) for cohort in cohorts))
    minutes = {(one.session_id, one.institution): one for found in kept for one in found}
    rows = [
        (one, [(code, minutes.get((one.id, code))) for cohort, code in whose if cohort == one.cohort_id])
        for found in held
        for one in found
    ]
    now = datetime.now(UTC)
    coming = [row for row in rows if row[0].end_time.ToDatetime(UTC) >= now]
    past = [row for row in rows if row[0].end_time.ToDatetime(UTC) < now]
    return shown.page(
        request,
        "sessions.html",
        session,
        groups=[
            ("sessions_coming", sorted(coming, key=_begins)),
            ("sessions_past", sorted(past, key=_begins, reverse=True)),
        ],
        cancelled=_CANCELLED,
        hours=partial(shown.hours, language=shown.language_of(request)),
    )


async def one(request: Request) -> Response:
    """A session for one institution, and what this person may write down of it."""
    session = await people.session_of(request)
    person, neighbours = people.person_of(session), request.app.state.neighbours
    session_id, institution = request.path_params["session"], request.path_params["institution"]
    form: Mapping[str, str] = {}
    error: Refused | None = None
    if request.method == "POST":
        form = await people.form_of(request, session)
        try:
            await _done(person, neighbours, session, (session_id, institution), form)
            return shown.there(request, f"work/session/{session_id}/{institution}", saved="1")
        except grpc.aio.AioRpcError as refused:
            error = from_rpc_error(refused)
    asked = pb.GetMinutesRequest(session_id=session_id, institution=institution)
    minutes = (await person.ask(neighbours.minutes.GetMinutes, asked)).minutes
    found = await _sessions(person, neighbours, minutes.cohort_id)
    meeting = next((one for one in found if one.id == session_id), None)
    if meeting is None:
        raise not_found("session", session_id)
    on, now = meeting.state != _CANCELLED, datetime.now(UTC)
    begun = on and (bool(meeting.rehearsal) or meeting.start_time.ToDatetime(UTC) <= now)
    over = on and (bool(meeting.rehearsal) or meeting.end_time.ToDatetime(UTC) <= now)
    own = next((one for one in minutes.feedback if one.given_by == session.subject), None)
    # Only a region takes its seats; managers do so from the command line.
    sits = on and session.institution == institution and session.has(*REGION_ROLES)
    return shown.page(
        request,
        "session.html",
        session,
        status=409 if error else 200,
        meeting=meeting,
        minutes=minutes,
        on=on,
        begun=begun,
        plans_agenda=any(item.source != _PEOPLE for item in minutes.agenda) or not minutes.agenda,
        # What a refused form said stands in it still.
        lines=form["items"].splitlines()
        if "items" in form
        else [item.title for item in minutes.agenda if item.source == _PEOPLE],
        notes=form.get("notes", minutes.notes),
        steps=_written(form) if error and form.get("what") == "notes" else _agreed(minutes),
        writes=session.has(*_WRITERS),
        sits=sits,
        rates=begun and session.has(*READERS),
        own=own,
        thought=form.get("text", own.text if own else ""),
        missed=over and not minutes.seated and session.has(*_WRITERS),
        hours=partial(shown.hours, language=shown.language_of(request)),
        saved=request.query_params.get("saved", ""),
        error=error,
    )


async def _whose(person: Person, neighbours: Neighbours, session: Session) -> list[tuple[str, str]]:
    """Cohort and institution of everybody whose sessions these are: of a coach those that are coached, of a region its
    own."""
    found: set[tuple[str, str]] = set()
    if session.has(options_pb2.ROLE_COACH):
        asked = assignment_service_pb2.ListCoachedRegionsRequest()
        regions = (await person.ask(neighbours.coached.ListCoachedRegions, asked)).regions
        found |= {(region.cohort_id, region.institution) for region in regions}
    if session.has(*REGION_ROLES) and session.institution:
        plans = coaching_pb.ListPlansRequest(institution=session.institution)
        duties = duty_service_pb2.ListDutiesRequest(institution=session.institution)
        owed = (await person.ask(neighbours.duties.ListDuties, duties)).duties
        of_plans = await person.every(neighbours.coaching.ListPlans, plans, "plans")
        found |= {(one.cohort_id, session.institution) for one in (*owed, *of_plans)}
    return sorted(found)


async def _minutes(person: Person, neighbours: Neighbours, cohort: str, institution: str) -> list[Any]:
    asked = pb.ListMinutesRequest(cohort_id=cohort, institution=institution)
    return await person.every(neighbours.minutes.ListMinutes, asked, "minutes")


async def _sessions(person: Person, neighbours: Neighbours, cohort: str) -> list[Any]:
    asked = coaching_pb.ListSessionsRequest(cohort_id=cohort)
    return list((await person.ask(neighbours.coaching.ListSessions, asked)).sessions)


def _begins(row: tuple[Any, Any]) -> datetime:
    begins: datetime = row[0].start_time.ToDatetime(UTC)
    return begins


def _agreed(minutes: Any) -> list[dict[str, str]]:
    """The steps of a form: those that are still to be done, and room for more."""
    steps = [
        {"text": step.text, "owner": step.owner, "due": step.due_date, "action": step.action_id}
        for step in minutes.next_steps
        if not step.done_by
    ]
    room = max(0, min(_SPARE, _MOST_STEPS - len(steps)))
    return steps + [{"text": "", "owner": "", "due": "", "action": ""} for _ in range(room)]


def _written(form: Mapping[str, str]) -> list[dict[str, str]]:
    """The steps that a form holds, the empty ones too."""
    places = [place for place in range(_MOST_STEPS) if f"text.{place}" in form]
    return [
        {name: form.get(f"{name}.{place}", "").strip() for name in ("text", "owner", "due", "action")}
        for place in places
    ]


async def _done(
    person: Person, neighbours: Neighbours, session: Session, about: tuple[str, str], form: Mapping[str, str]
) -> None:
    """What the form asks for; INVALID_ARGUMENT for anything else."""
    what, kept = form.get("what", ""), neighbours.minutes
    common = {"request_id": form.get("request_id", ""), "session_id": about[0], "institution": about[1]}
    if what == "agenda":
        lines = [line.strip() for line in form.get("items", "").splitlines() if line.strip()]
        known = await person.ask(kept.GetMinutes, pb.GetMinutesRequest(session_id=about[0], institution=about[1]))
        actions = {item.title: item.action_id for item in known.minutes.agenda}
        items = [minutes_pb2.AgendaItem(title=line, action_id=actions.get(line, "")) for line in lines]
        order: Any = pb.SetAgendaRequest(
            **common, items=items, from_plan="from_plan" in form, etag=form.get("etag", "")
        )
        await person.ask(kept.SetAgenda, order)
    elif what == "notes":
        steps = [
            minutes_pb2.NextStep(text=one["text"], owner=one["owner"], due_date=one["due"], action_id=one["action"])
            for one in _written(form)
            if one["text"]
        ]
        order = pb.WriteMinutesRequest(
            **common, notes=form.get("notes", "").strip(), next_steps=steps, etag=form.get("etag", "")
        )
        await person.ask(kept.WriteMinutes, order)
    elif what == "step":
        order = pb.CompleteNextStepRequest(
            **common, step_id=form.get("step", ""), outcome=form.get("outcome", "").strip()
        )
        await person.ask(kept.CompleteNextStep, order)
    elif what == "feedback":
        rating = form.get("rating", "")
        order = pb.GiveFeedbackRequest(
            **common,
            rating=int(rating) if rating.isdecimal() and len(rating) <= _MOST_DIGITS else 0,
            text=form.get("text", "").strip(),
        )
        await person.ask(kept.GiveFeedback, order)
    elif what == "missed":
        order = pb.FollowUpNoShowRequest(**common, reason=form.get("reason", "").strip())
        await person.ask(kept.FollowUpNoShow, order)
    elif what == "came":
        seat = next((role for role in sorted(REGION_ROLES) if session.has(role)), options_pb2.ROLE_UNSPECIFIED)
        order = coaching_pb.RecordAttendanceRequest(
            **common, role=seat, name=form.get("name", "").strip(), delegate="delegate" in form
        )
        await person.ask(neighbours.coaching.RecordAttendance, order)
    else:
        raise invalid_field("what", "is nothing that can be done with a session")
