"""For the platform team: which processes answer, how their facts flow, what was set aside, releases, workflows."""

import asyncio
import json
import urllib.parse
import uuid
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
from google.protobuf.json_format import MessageToDict
from livinglab.common.v1 import dead_letter_service_pb2 as letters_pb
from livinglab.common.v1 import flow_service_pb2 as flow_pb
from livinglab.common.v1 import options_pb2
from livinglab.program.v1 import release_service_pb2 as release_pb
from livinglab.program.v1 import service_pb2 as program_pb
from starlette.requests import Request
from starlette.responses import Response

from chassis.config import Settings
from chassis.errors import Refused, Violation, denied, invalid, invalid_field
from chassis.events import facts
from chassis.status import from_rpc_error
from programs import names
from services.console.model import words
from services.console.pages import shown
from services.console.session import people
from services.console.session.neighbours import PROCESSES, Neighbours, Person

# As many letters as one order may name.
_AT_ONCE = 50
_COHORTS = 100
# Each letter is handled while the form waits.
_REPLAY_SECONDS = 60.0
_SAID = "letter."


@dataclass
class Standing:
    """One process: what it says of itself, or why it does not."""

    name: str
    flow: Any = None
    letters: list[Any] = field(default_factory=list)
    more: bool = False
    silent: str = ""

    @property
    def behind(self) -> list[Any]:
        """Listeners that have something to do, or whom nobody is."""
        return [one for one in self.flow.listeners if one.waiting or one.in_hand or not one.listening]


async def page(request: Request) -> Response:
    """Everything at this moment; a process that is away hides nothing of the others."""
    session = await people.session_of(request)
    if not session.has(options_pb2.ROLE_PLATFORM):
        raise denied("ROLE", "this page is for the platform team")
    person, neighbours = people.person_of(session), request.app.state.neighbours
    error: Refused | None = None
    outcomes: list[Any] = []
    form: Mapping[str, str] = {}
    if request.method == "POST":
        form = await people.form_of(request, session)
        try:
            outcomes = await _settled(person, neighbours, form, shown.language_of(request))
        except Refused as refused:
            error = refused
        except grpc.aio.AioRpcError as refused:
            error = from_rpc_error(refused)
    asked = release_pb.GetReleasesRequest()
    listed = program_pb.ListCohortsRequest(page_size=_COHORTS)
    releases, cohorts, *standings = await asyncio.gather(
        _or_none(person.ask(neighbours.releases.GetReleases, asked)),
        _or_none(person.ask(neighbours.program.ListCohorts, listed)),
        *(_standing(person, neighbours, name) for name in PROCESSES),
    )
    return shown.page(
        request,
        "platform.html",
        session,
        status=409 if error else 200,
        standings=standings,
        releases=releases,
        cohorts=cohorts.cohorts if cohorts else None,
        workflow=_workflow(request.app.state.settings),
        new_id=lambda: uuid.uuid4().hex,
        content=_content,
        outcomes=outcomes,
        error=error,
        reason=form.get("reason", "") if error else "",
        chosen={name for name in form if name.startswith(_SAID)} if error else set(),
    )


async def _standing(person: Person, neighbours: Neighbours, name: str) -> Standing:
    found = Standing(name)
    asked = letters_pb.ListDeadLettersRequest(page_size=_AT_ONCE)
    try:
        answer, letters = await asyncio.gather(
            person.ask(neighbours.flows[name].GetFlow, flow_pb.GetFlowRequest()),
            person.ask(neighbours.letters[name].ListDeadLetters, asked),
        )
    except grpc.aio.AioRpcError as error:
        found.silent = str(from_rpc_error(error).message)
        return found
    found.flow, found.letters, found.more = answer.flow, list(letters.letters), bool(letters.next_page_token)
    return found


async def _or_none(asked: Awaitable[Any]) -> Any:
    """None where the other side does not answer: the page says so."""
    try:
        return await asked
    except grpc.aio.AioRpcError:
        return None


async def _settled(person: Person, neighbours: Neighbours, form: Mapping[str, str], language: str) -> list[Any]:
    """Has the letters that were ticked handled again, or gives them up with a reason; what became of each."""
    what, reason = form.get("what", ""), form.get("reason", "").strip()
    stub = neighbours.letters.get(form.get("service", ""))
    if stub is None:
        raise invalid_field("service", "?")
    ids = [name.removeprefix(_SAID) for name in form if name.startswith(_SAID)][:_AT_ONCE]
    faults = [] if ids else [Violation("letter", words.text("no_letter_chosen", language))]
    if what == "discard" and not reason:
        faults.append(Violation("reason", words.text("discard_reason", language)))
    if what not in ("replay", "discard"):
        faults.append(Violation("what", "?"))
    if faults:
        raise invalid(faults)
    request_id = form.get("request_id", "")
    if what == "replay":
        order: Any = letters_pb.ReplayDeadLettersRequest(request_id=request_id, letter_ids=ids)
        return list((await person.ask(stub.ReplayDeadLetters, order, _REPLAY_SECONDS)).replays)
    order = letters_pb.DiscardDeadLettersRequest(request_id=request_id, letter_ids=ids, reason=reason)
    return list((await person.ask(stub.DiscardDeadLetters, order, _REPLAY_SECONDS)).letters)


def _workflow(settings: Settings) -> Any:
    """The address of a cohort's workflow in Temporal's own pages; empty where nobody said where those are."""

    def place(cohort_id: str) -> str:
        base = settings.temporal_ui_url.rstrip("/")
        if not base.startswith(("https://", "http://")):
            return ""
        workflow = urllib.parse.quote(names.workflow_id(cohort_id), safe="")
        return f"{base}/namespaces/{urllib.parse.quote(settings.temporal_namespace, safe='')}/workflows/{workflow}"

    return place


def _content(letter: Any) -> str:
    """What the fact of a letter says, where this version can read it."""
    event = facts.read(letter.type, letter.payload)
    if event is None:
        return ""
    said = MessageToDict(event, preserving_proto_field_name=True)
    return json.dumps(said, ensure_ascii=False, indent=1)
