"""Who takes part in a cohort: chosen by state and by what they lack, and orders for several of them at once."""

from collections.abc import Iterable, Mapping
from typing import Any

import grpc
import grpc.aio
from livinglab.common.v1 import options_pb2
from livinglab.program.v1 import cohort_pb2
from livinglab.program.v1 import service_pb2 as pb
from livinglab.program.v1 import steering_service_pb2 as steering_pb
from starlette.requests import Request
from starlette.responses import Response

from chassis.errors import Refused, Violation, denied, invalid
from chassis.status import from_rpc_error
from services.console.model import words
from services.console.pages import shown
from services.console.pages.cohort.requests import possible
from services.console.session import people
from services.console.session.neighbours import Neighbours, Person

ORDERS = ("withdraw", "readmit", "again", "let_be")
_STATES = ("1", "2", "3", "4")
_CHOSEN = "one."
_AT_ONCE = 100


async def page(request: Request) -> Response:
    """The table with its choices; with some ticked, what an order would do to each; confirmed, what came of it."""
    session = await people.session_of(request)
    person, neighbours = people.person_of(session), request.app.state.neighbours
    asked = pb.GetCohortRequest(cohort_id=request.path_params["cohort"])
    cohort = (await person.ask(neighbours.program.GetCohort, asked)).cohort
    gives_orders = session.has(options_pb2.ROLE_MANAGER) and bool(possible(cohort))
    form: Mapping[str, str] = {}
    outcomes: list[tuple[str, str]] = []
    error: Refused | None = None
    if request.method == "POST":
        form = await people.form_of(request, session)
        if not gives_orders:
            raise denied("ROLE", "orders are for managers, while the cohort runs")
        try:
            outcomes = await _ordered(person, neighbours, cohort.id, form, shown.language_of(request))
        except Refused as refused:
            error = refused
    listing = pb.ListParticipantsRequest(cohort_id=cohort.id)
    everybody = await person.every(neighbours.program.ListParticipants, listing, "participants")
    choice = {name: request.query_params.get(name, "")[:64] for name in ("show", "state", "find")}
    return shown.page(
        request,
        "participants.html",
        session,
        status=409 if error else 200,
        cohort=cohort,
        people=list(_chosen(everybody, choice)),
        total=len(everybody),
        choice=choice,
        gives_orders=gives_orders,
        orders=ORDERS,
        order=form.get("order", ""),
        reason=form.get("reason", ""),
        ticked={name for name in form if name.startswith(_CHOSEN)},
        done="confirmed" in form and not error,
        outcomes=outcomes,
        error=error,
        failed=cohort_pb2.PARTICIPANT_STATE_FAILED,
    )


def _chosen(everybody: Iterable[Any], choice: Mapping[str, str]) -> Iterable[Any]:
    """Those that the address asks for, in the order of their codes."""
    sought = choice["find"].strip().casefold()
    for one in everybody:
        if choice["show"] == "missing" and not one.missing and not one.problems:
            continue
        if choice["show"] == "problems" and not one.problems:
            continue
        if choice["state"] in _STATES and one.state != int(choice["state"]):
            continue
        if sought in one.institution.casefold() or sought in shown.region(one.institution).casefold():
            yield one


async def _ordered(
    person: Person, neighbours: Neighbours, cohort_id: str, form: Mapping[str, str], language: str
) -> list[tuple[str, str]]:
    """Each participant with what the order does to it, or why it is refused: only told until it is confirmed. One that
    is refused keeps the others from nothing; sent again, each is done once."""
    ids = sorted(name.removeprefix(_CHOSEN) for name in form if name.startswith(_CHOSEN))
    order, reason, confirmed = form.get("order", ""), form.get("reason", "").strip(), "confirmed" in form
    faults = []
    if not ids or len(ids) > _AT_ONCE:
        faults.append(Violation("participants", words.text("choose_some", language, count=_AT_ONCE)))
    if order not in ORDERS:
        faults.append(Violation("order", words.text("choose_order", language)))
    if not reason:
        faults.append(Violation("reason", words.text("reason_hint", language)))
    if faults:
        raise invalid(faults)
    found = []
    for place, institution in enumerate(ids):
        common = {
            "request_id": f"{form.get('request_id', '')[:64]}-{place}",
            "cohort_id": cohort_id,
            "institution": institution,
            "reason": reason,
            "validate_only": not confirmed,
        }
        try:
            answer = await _one(person, neighbours, order, common)
        except grpc.aio.AioRpcError as error:
            found.append((institution, words.text("not_done", language, why=from_rpc_error(error).message)))
            continue
        told = sum(letters.people for letters in answer.preview.letters)
        text = "is_done" if confirmed else "would_be_done"
        found.append((institution, words.text(text, language, what=words.text(f"bulk_{order}", language), people=told)))
    return found


async def _one(person: Person, neighbours: Neighbours, order: str, common: dict[str, Any]) -> Any:
    if order == "withdraw":
        return await person.ask(neighbours.program.WithdrawParticipant, pb.WithdrawParticipantRequest(**common))
    if order == "readmit":
        readmit = steering_pb.ReadmitParticipantRequest(**common)
        return await person.ask(neighbours.steering.ReadmitParticipant, readmit)
    resolve = steering_pb.ResolveProblemsRequest(**common, retry=order == "again")
    return await person.ask(neighbours.steering.ResolveProblems, resolve)
