"""Orders of a manager over a cohort: a form, a preview of what will happen, then the order itself, with its reason."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import grpc
import grpc.aio
from livinglab.common.v1 import options_pb2
from livinglab.program.v1 import cohort_pb2
from livinglab.program.v1 import service_pb2 as program_pb
from starlette.requests import Request
from starlette.responses import Response

from chassis.errors import Kind, Refused, denied, invalid, not_found
from chassis.status import from_rpc_error
from services.console.model import words
from services.console.pages import shown
from services.console.pages.cohort import requests
from services.console.session import people
from services.console.session.neighbours import Neighbours, Person

# An order asks the cohort's workflow, which may just be busy with another.
_SECONDS = 15.0


async def page(request: Request) -> Response:
    """The form; with its fields filled in, the preview; confirmed, the order."""
    session = await people.session_of(request)
    if not session.has(options_pb2.ROLE_MANAGER):
        raise denied("ROLE", "orders are for managers")
    person, neighbours = people.person_of(session), request.app.state.neighbours
    order, language = request.path_params["order"], shown.language_of(request)
    asked = program_pb.GetCohortRequest(cohort_id=request.path_params["cohort"])
    cohort = (await person.ask(neighbours.program.GetCohort, asked)).cohort
    if order not in requests.possible(cohort):
        raise not_found("order", order[:40])
    form: Mapping[str, str] = request.query_params
    preview, error = None, None
    if request.method == "POST":
        form = await people.form_of(request, session)
        try:
            answer = await _asked(order, person, neighbours, cohort, form, language)
            if "confirmed" in form:
                second = bool(getattr(answer, "awaiting_second", False))
                return shown.there(request, f"cohorts/{cohort.id}", done="second" if second else "1")
            preview = answer.preview
        except Refused as refused:
            error = refused
        except grpc.aio.AioRpcError as refused:
            error = from_rpc_error(refused)
            if error.kind in (Kind.UNAVAILABLE, Kind.DEADLINE_EXCEEDED):
                raise
    return shown.page(
        request,
        "order.html",
        session,
        409 if error else 200,
        cohort=cohort,
        order=order,
        fields=requests.FIELDS[order],
        phases=requests.phases_for(order, cohort),
        seats=list(requests.SEATS),
        form=form,
        preview=preview,
        effect=_effect(order, cohort, form, language) if preview is not None else "",
        titles={phase.phase: _title(phase, language) for phase in cohort.phases},
        told=sum(one.people for one in preview.letters) if preview is not None else 0,
        at=partial(_at, language=language),
        error=error,
    )


async def _asked(
    order: str, person: Person, neighbours: Neighbours, cohort: Any, form: Mapping[str, str], language: str
) -> Any:
    """The answer to the order; only what it would bring about until it is confirmed. INVALID_ARGUMENT naming
    everything that is wrong with the form."""
    read = requests.Reading(order, cohort, form, language)
    common = {
        "request_id": form.get("request_id", ""),
        "cohort_id": cohort.id,
        "reason": read.said("reason", "reason_hint"),
        "validate_only": "confirmed" not in form,
    }
    asked = requests.request_of(order, read, common)
    if read.faults:
        raise invalid(read.faults)
    return await person.ask(requests.method_of(order, neighbours), asked, _SECONDS)


def _effect(order: str, cohort: Any, form: Mapping[str, str], language: str) -> str:
    """What the order does, in a sentence."""
    phase = next((one for one in cohort.phases if one.phase == form.get("phase")), None)
    action = form.get("action", "")
    return words.text(
        f"effect_{order}",
        language,
        people=cohort.active,
        phase=_title(phase, language) if phase else "",
        blocking=phase.blocking if phase else 0,
        days=form.get("days", "").strip(),
        action=words.text(f"gate_{action}", language) if action in ("1", "2", "3") else "",
        institution=shown.region(form.get("institution", "").strip()) or cohort.title or cohort.id,
        name=form.get("name", "").strip(),
        title=form.get("title", "").strip(),
    )


def _title(phase: Any, language: str) -> str:
    return str((phase.title_en if language == "en" else "") or phase.title)


def _at(move: Any, stamp: Any, language: str) -> str:
    """A time as people of that place tell it: the day that a deadline ends, the hour of anything else."""
    if move.kind == cohort_pb2.MOVE_KIND_DEADLINE:
        return shown.last_day(stamp, move.time_zone, language)
    return shown.moment(stamp, move.time_zone, language)
