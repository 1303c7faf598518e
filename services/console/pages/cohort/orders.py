"""Orders of a manager over a cohort: a form, a preview of what will happen, then the order itself, with its reason."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import grpc.aio
from google.protobuf.timestamp_pb2 import Timestamp
from livinglab.common.v1 import options_pb2
from livinglab.program.v1 import cohort_pb2
from livinglab.program.v1 import service_pb2 as program_pb
from livinglab.program.v1 import steering_service_pb2 as pb
from starlette.requests import Request
from starlette.responses import Response

from chassis.errors import Refused, Violation, denied, invalid, invalid_field, not_found
from chassis.status import from_rpc_error
from services.console.model import words
from services.console.pages import shown
from services.console.session import people
from services.console.session.neighbours import Neighbours, Person

_RUNNING, _PAUSED = cohort_pb2.COHORT_STATE_RUNNING, cohort_pb2.COHORT_STATE_PAUSED
_OPEN, _PENDING = cohort_pb2.PHASE_STATE_OPEN, cohort_pb2.PHASE_STATE_PENDING
_MOST_DAYS = 365


def possible(cohort: Any) -> list[str]:
    """The orders that make sense for a cohort as it stands."""
    if cohort.state == _RUNNING:
        return ["extend", "override", "pause", "withdraw", "cancel"]
    return ["resume", "withdraw", "cancel"] if cohort.state == _PAUSED else []


async def page(request: Request) -> Response:
    """The form; with its fields filled in, the preview; confirmed, the order."""
    session = await people.session_of(request)
    if not session.has(options_pb2.ROLE_MANAGER):
        raise denied("ROLE", "orders are for managers")
    person, neighbours = people.person_of(session), request.app.state.neighbours
    order, language = request.path_params["order"], shown.language_of(request)
    asked = program_pb.GetCohortRequest(cohort_id=request.path_params["cohort"])
    cohort = (await person.ask(neighbours.program.GetCohort, asked)).cohort
    if order not in possible(cohort):
        raise not_found("order", order[:40])
    form: Mapping[str, str] = request.query_params
    effect, error = "", None
    if request.method == "POST":
        form = await people.form_of(request, session)
        try:
            effect = _effect(order, cohort, form, language)
            if "confirmed" in form:
                second = await _carry_out(order, person, neighbours, cohort, form)
                return shown.there(request, f"cohorts/{cohort.id}", done="second" if second else "1")
        except Refused as refused:
            error, effect = refused, ""
        except grpc.aio.AioRpcError as refused:
            error, effect = from_rpc_error(refused), ""
    phases = [p for p in cohort.phases if p.state == _OPEN or (order == "extend" and p.state == _PENDING)]
    given = {name: form.get(name, "") for name in ("phase", "days", "action", "institution", "reason")}
    status = 409 if error else 200
    return shown.page(
        request,
        "order.html",
        session,
        status,
        cohort=cohort,
        order=order,
        phases=phases,
        given=given,
        effect=effect,
        error=error,
    )


def _effect(order: str, cohort: Any, form: Mapping[str, str], language: str) -> str:
    """What the order will do, in words; INVALID_ARGUMENT naming what is wrong with the form."""
    faults = [] if form.get("reason", "").strip() else [Violation("reason", words.text("reason_hint", language))]
    values: dict[str, object] = {"people": cohort.active}
    if order in ("extend", "override"):
        phase = next((p for p in cohort.phases if p.phase == form.get("phase")), None)
        if phase is None:
            raise invalid_field("phase", "?")
        values |= {"phase": phase.title, "blocking": phase.blocking}
        if order == "extend":
            days = _days(form.get("days", ""))
            after = phase.deadline_time.ToDatetime(UTC) + timedelta(seconds=days * _day(cohort))
            stamps = {"before": phase.deadline_time, "after": _stamp(after)}
            values |= {"days": days} | {name: shown.when(stamp, language) for name, stamp in stamps.items()}
        else:
            action = form.get("action", "")
            if action not in ("1", "2", "3"):
                raise invalid_field("action", "?")
            values["action"] = words.text(f"gate_{action}", language)
    if order == "withdraw":
        if not form.get("institution", "").strip():
            faults.append(Violation("institution", words.text("choose_institution", language)))
        values["institution"] = shown.region(form.get("institution", "").strip())
    if faults:
        raise invalid(faults)
    return words.text(f"effect_{order}", language, **values)


async def _carry_out(order: str, person: Person, neighbours: Neighbours, cohort: Any, form: Mapping[str, str]) -> bool:
    """Gives the order; whether it waits for a second manager."""
    common = {
        "request_id": form.get("request_id", ""),
        "cohort_id": cohort.id,
        "reason": form.get("reason", "").strip(),
    }
    steering, program = neighbours.steering, neighbours.program
    if order == "pause":
        await person.ask(steering.PauseCohort, pb.PauseCohortRequest(**common))
    elif order == "resume":
        await person.ask(steering.ResumeCohort, pb.ResumeCohortRequest(**common))
    elif order == "extend":
        request = pb.ReschedulePhaseRequest(**common, phase=form["phase"], deadline_days=_days(form["days"]))
        await person.ask(steering.ReschedulePhase, request)
    elif order == "override":
        action: Any = int(form["action"])
        answer = await person.ask(
            steering.OverrideGate, pb.OverrideGateRequest(**common, phase=form["phase"], action=action)
        )
        return bool(answer.awaiting_second)
    elif order == "withdraw":
        institution = form["institution"].strip()
        await person.ask(
            program.WithdrawParticipant, program_pb.WithdrawParticipantRequest(**common, institution=institution)
        )
    else:
        await person.ask(program.CancelCohort, program_pb.CancelCohortRequest(**common))
    return False


def _days(text: str) -> int:
    """Whole days, at most a year, forwards or back."""
    try:
        days = int(text)
    except ValueError:
        days = 0
    if not days or abs(days) > _MOST_DAYS:
        raise invalid_field("days", f"1-{_MOST_DAYS}")
    return days


def _day(cohort: Any) -> float:
    """Wall clock seconds of a program day."""
    return float(cohort.seconds_per_day or 86_400)


def _stamp(moment: datetime) -> Timestamp:
    found = Timestamp()
    found.FromDatetime(moment)
    return found
