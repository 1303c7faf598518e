"""Evidence of an indicator: brought from a phone or a desk, attached, taken away, fetched; never shown in place."""

import asyncio
import hashlib
import urllib.parse
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
from livinglab.assessment.v1 import evidence_service_pb2 as pb
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from chassis.errors import Kind, Refused, invalid_field
from chassis.status import from_rpc_error
from services.console.pages import answers, shown
from services.console.session import people
from services.console.session.neighbours import Neighbours, Person
from services.console.session.sessions import Session

_PIECE = 2**20
# As the contract has it, and a little for the form around it.
_LARGEST = 100 * 2**20 + 2**16
_SECONDS = 300.0
# Whatever a file turns out to be, it can do nothing here.
_SEALED = "default-src 'none'; sandbox"


async def attach(request: Request) -> Response:
    """Stores the form's file and attaches it to the indicator; then back to the page, which says what came of it."""
    session = await people.session_of(request)
    people.require_same_site(request)
    size = request.headers.get("content-length", "")
    if not size.isdecimal() or int(size) > _LARGEST:
        raise Refused(Kind.RESOURCE_EXHAUSTED, "FILE", "a file has at most 100 MiB")
    async with request.form(max_files=1, max_fields=20, max_part_size=people.LARGEST_FORM) as form:
        people.require_own(session, str(form.get("csrf", "")))
        try:
            warnings = await _stored(request, session, form)
        except Refused as refused:
            return _back(request, refused=_told(refused))
        except grpc.aio.AioRpcError as error:
            return _back(request, refused=_told(from_rpc_error(error)))
    return _back(request, attached="1", doubt="".join(sorted({one.rule for one in warnings})))


async def detach(request: Request) -> Response:
    """Takes a piece away that no assessor has accepted."""
    session = await people.session_of(request)
    form = await people.form_of(request, session)
    level = form.get("level", "")
    order = pb.DetachEvidenceRequest(
        request_id=form.get("request_id", ""),
        evaluation_id=request.path_params["evaluation"],
        indicator=request.path_params["indicator"],
        evidence_id=form.get("evidence", ""),
        level=int(level) if level.isdecimal() and len(level) < 4 else 0,
    )
    try:
        await people.person_of(session).ask(request.app.state.neighbours.evidence.DetachEvidence, order)
    except grpc.aio.AioRpcError as error:
        return _back(request, refused=_told(from_rpc_error(error)))
    return _back(request, detached="1")


async def fetch(request: Request) -> Response:
    """A file, to be kept and opened elsewhere."""
    session = await people.session_of(request)
    neighbours: Neighbours = request.app.state.neighbours
    asked = pb.DownloadEvidenceRequest(evidence_id=request.path_params["evidence"])
    stream = neighbours.evidence.DownloadEvidence(
        asked, metadata=people.person_of(session).metadata(), timeout=_SECONDS
    )
    parts = aiter(stream)
    found = (await anext(parts)).evidence

    async def pieces() -> AsyncIterator[bytes]:
        async for part in parts:
            yield part.data

    headers = {
        **answers.SAFETY,
        "content-security-policy": _SEALED,
        "cache-control": answers.PRIVATE,
        "content-disposition": f"attachment; filename*=UTF-8''{urllib.parse.quote(found.file_name, safe='')}",
        "content-length": str(found.size),
    }
    return StreamingResponse(pieces(), media_type="application/octet-stream", headers=headers)


async def shown_for(person: Person, neighbours: Neighbours, evaluation_id: str, number: str) -> list[tuple[Any, Any]]:
    """The pieces of an indicator, each with its file."""
    asked = pb.ListIndicatorEvidenceRequest(evaluation_id=evaluation_id)
    listed = await person.ask(neighbours.evidence.ListIndicatorEvidence, asked)
    files = {one.id: one for one in listed.evidence}
    return [
        (piece, files[piece.evidence_id])
        for one in listed.indicators
        if one.indicator == number
        for piece in one.pieces
        if piece.evidence_id in files
    ]


async def _stored(request: Request, session: Session, form: FormData) -> list[Any]:
    """The file stored, whole or not at all, and attached; warnings of what is doubtful about it."""
    file = form.get("file")
    if not isinstance(file, UploadFile) or not file.filename:
        raise invalid_field("file", "choose a file")
    person, stub = people.person_of(session), request.app.state.neighbours.evidence
    request_id = str(form.get("request_id", ""))
    start = pb.StartUploadRequest(
        request_id=request_id,
        institution=session.institution,
        file_name=file.filename.replace("\\", "/").rpartition("/")[2],
        title=str(form.get("title", "")),
        size=file.size or 0,
        sha256=await _digest(file),
        document_date=str(form.get("date", "")),
    )
    upload = (await person.ask(stub.StartUpload, start)).upload
    if not upload.HasField("evidence"):
        upload = (await stub.SendUpload(_messages(upload, file), metadata=person.metadata(), timeout=_SECONDS)).upload
    level = str(form.get("level", ""))
    order = pb.AttachEvidenceRequest(
        request_id=f"{request_id}-attach",
        evaluation_id=request.path_params["evaluation"],
        evidence_id=upload.evidence.id,
        indicators=[request.path_params["indicator"]],
        level=int(level) if level.isdecimal() and len(level) < 4 else 0,
        pages=str(form.get("pages", "")),
    )
    return list((await person.ask(stub.AttachEvidence, order)).warnings)


async def _digest(file: UploadFile) -> str:
    digest = hashlib.sha256()
    while piece := await file.read(_PIECE):
        await asyncio.to_thread(digest.update, piece)
    return digest.hexdigest()


async def _messages(upload: Any, file: UploadFile) -> AsyncIterator[pb.SendUploadRequest]:
    """What the service does not have yet; an empty message ends an upload whose bytes are all there."""
    place = upload.offset
    await file.seek(place)
    while (data := await file.read(_PIECE)) or place == upload.offset:
        yield pb.SendUploadRequest(upload_id=upload.id, offset=place, data=data)
        place += len(data)
        if not data:
            return


def _told(refused: Refused) -> str:
    return "; ".join(str(one) for one in refused.violations[:5]) or refused.message


def _back(request: Request, **query: str) -> Response:
    """The indicator's page; `refused` is told there."""
    place = f"work/assessment/{request.path_params['evaluation']}/{request.path_params['indicator']}"
    return shown.there(request, place, **{name: value[:300] for name, value in query.items()})
