"""Launching a cohort from files: every fault with its file and line, then what would start, then the start."""

import asyncio
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from livinglab.common.v1 import options_pb2
from livinglab.program.v1 import service_pb2 as pb
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response

from chassis.errors import Kind, Refused, denied
from chassis.status import from_rpc_error
from directory import official_regions
from instruments import instrument_files
from programs.files.definition import CohortFile, check_cohort, holds_definition, holds_roster
from services.console.pages import shown
from services.console.session import people
from services.console.session.sessions import Session

# As much as a launch takes, and a little for the form around it.
_LARGEST = 4 * 2**20 + 2**16
_MOST_FAULTS = 200
_LAUNCH_SECONDS = 20.0


async def page(request: Request) -> Response:
    """The form; with files, their faults or what would start; confirmed, the cohort's board."""
    session = await people.session_of(request)
    if not session.has(options_pb2.ROLE_MANAGER):
        raise denied("ROLE", "cohorts are launched by managers")
    faults: list[str] = []
    if request.method == "POST":
        if request.headers.get("content-type", "").startswith("multipart/form-data"):
            faults = await _checked(request, session)
        else:
            form = await people.form_of(request, session)
            waiting = session.launch
            if waiting is not None and form.get("request_id") == waiting.request_id:
                session.launch = None
                faults = await _sent(request, session, waiting)
                if not faults:
                    return shown.there(request, f"cohorts/{waiting.cohort.id}")
    waiting = session.launch if not faults else None
    return shown.page(
        request,
        "launch.html",
        session,
        status=409 if faults else 200,
        faults=faults[:_MOST_FAULTS],
        more=max(0, len(faults) - _MOST_FAULTS),
        waiting=waiting if request.method == "POST" else None,
        people=sum(len(one.people) for one in waiting.cohort.roster) if waiting else 0,
    )


async def _checked(request: Request, session: Session) -> list[str]:
    """Keeps what the files say for a confirmation, or tells each fault. Nothing is stored but in the session."""
    people.require_same_site(request)
    size = request.headers.get("content-length", "")
    if not size.isdecimal() or int(size) > _LARGEST:
        raise Refused(Kind.RESOURCE_EXHAUSTED, "FILE", "the files have at most 4 MiB together")
    session.launch = None
    async with request.form(max_files=3, max_fields=10, max_part_size=people.LARGEST_FORM) as form:
        people.require_own(session, str(form.get("csrf", "")))
        given = [(one.filename, await one.read()) for one in form.getlist("files") if isinstance(one, UploadFile)]
        name, request_id = str(form.get("id", "")).strip(), str(form.get("request_id", ""))
        rehearsal = "rehearsal" in form
    loaded = await asyncio.to_thread(checked, [(n, c) for n, c in given if n], name, rehearsal=rehearsal)
    if loaded.faults:
        return [str(fault) for fault in loaded.faults]
    launch = pb.LaunchCohortRequest(
        request_id=request_id, definition=loaded.definition.message, cohort=loaded.cohort.message, validate_only=True
    )
    faults = await _sent(request, session, launch, loaded)
    if not faults:
        launch.validate_only = False
        session.launch = launch
    return faults


def checked(files: list[tuple[str, bytes]], name: str = "", *, rehearsal: bool = False) -> CohortFile:
    """A cohort's file and what lies beside it, as uploaded, with every fault. Only what was uploaded is read, under the
    names that the files had, and our own definitions."""
    with tempfile.TemporaryDirectory() as folder:
        # In a folder of its own: a definition is also looked for one folder up.
        place = Path(folder) / "files"
        place.mkdir()
        standing = []
        for given, content in files:
            path = place / (Path(given.replace("\\", "/")).name or "file")
            path.write_bytes(content)
            standing.append(path)
        return check_cohort(
            _cohort_of(standing, place),
            official_regions(),
            instrument_files(),
            datetime.now(UTC),
            name,
            beside=True,
            rehearsal=rehearsal,
        )


def _cohort_of(standing: list[Path], place: Path) -> Path:
    """The one that is a cohort: neither a definition nor a roster. A name that no file has, where there is none."""
    return next((one for one in standing if not holds_roster(one) and not holds_definition(one)), place / "?")


async def _sent(
    request: Request, session: Session, launch: pb.LaunchCohortRequest, loaded: CohortFile | None = None
) -> list[str]:
    """What the program says against it; nothing where it starts, or could."""
    program: Any = request.app.state.neighbours.program
    try:
        await people.person_of(session).ask(program.LaunchCohort, launch, _LAUNCH_SECONDS)
    except grpc.aio.AioRpcError as error:
        refused = from_rpc_error(error)
        if refused.kind in (Kind.UNAVAILABLE, Kind.DEADLINE_EXCEEDED):
            raise
        if loaded and refused.violations:
            return [str(fault) for fault in loaded.locate(refused.violations)]
        return [str(one) for one in refused.violations] or [refused.message]
    return []
