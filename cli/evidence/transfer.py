"""The bytes of evidence between a file here and the service: up with a resume, down with a check."""

import asyncio
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import grpc
import grpc.aio
from livinglab.assessment.v1 import evidence_pb2
from livinglab.assessment.v1 import evidence_service_pb2 as pb
from livinglab.assessment.v1.evidence_service_pb2_grpc import EvidenceServiceStub

from cli.speak.connection import connected, new_request_id
from cli.speak.output import fail
from cli.speak.progress import progress

_MESSAGE_BYTES = 2**20
_TRIES = 5
_BROKE_OFF = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)


async def send(path: Path, dated: str, title: str, institution: str, **more: str) -> evidence_pb2.Evidence:
    """Uploads the file; goes on by itself where the connection breaks. `more` are fields of StartUploadRequest."""
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
            async with connected("assessment", EvidenceServiceStub) as stub:
                request = pb.StartUploadRequest(
                    request_id=new_request_id(),
                    institution=institution,
                    file_name=path.name,
                    title=title,
                    size=size,
                    sha256=sha256,
                    document_date=dated,
                    **more,
                )
                upload = (await stub.StartUpload(request)).upload
                return await _send(stub, upload, file)
    except OSError as error:
        fail(f"{path}: cannot be read: {error.strerror or error}")


async def _send(stub: Any, upload: evidence_pb2.Upload, file: BinaryIO) -> evidence_pb2.Evidence:
    with progress(f"Sending {upload.file_name}", upload.size) as tell:
        for attempt in range(1, _TRIES + 1):
            if upload.HasField("evidence"):
                break
            try:
                upload = (await stub.SendUpload(_messages(upload, file, tell))).upload
            except grpc.aio.AioRpcError as error:
                if error.code() not in _BROKE_OFF or attempt == _TRIES:
                    raise
                await asyncio.sleep(attempt)
                upload = (await stub.GetUpload(pb.GetUploadRequest(upload_id=upload.id))).upload
    if not upload.HasField("evidence"):
        fail(f"the file got shorter while it was sent: {upload.offset} of {upload.size} bytes are there")
    return upload.evidence


def _messages(upload: evidence_pb2.Upload, file: BinaryIO, tell: Any) -> Iterator[pb.SendUploadRequest]:
    file.seek(upload.offset)
    place = upload.offset
    # An empty message ends an upload whose bytes are all there.
    while (data := file.read(_MESSAGE_BYTES)) or place == upload.offset:
        yield pb.SendUploadRequest(upload_id=upload.id, offset=place, data=data)
        place += len(data)
        tell(place)
        if not data:
            return


def _here(file_name: str) -> Path:
    """A file of this folder under the name that its uploader gave it, unless that name does something here."""
    name = Path(file_name.replace("\\", "/")).name
    if not name or name.startswith((".", "-")) or not name.isprintable():
        fail(f"{name!r} is no name for a file here: name one with --to")
    return Path(name)


async def receive(evidence_id: str, to: Path | None) -> tuple[Path, evidence_pb2.Evidence]:
    """Downloads a file; it gets its name once its SHA-256 is right."""
    async with connected("assessment", EvidenceServiceStub) as stub:
        stream = stub.DownloadEvidence(pb.DownloadEvidenceRequest(evidence_id=evidence_id))
        parts = aiter(stream)
        found = (await anext(parts)).evidence
        path = to or _here(found.file_name)
        # Over what a person has named, where they say so; never over what an uploader has.
        if to is None and (path.exists() or path.is_symlink()):
            fail(f"{path}: is there already; name another file with --to")
        unfinished = path.with_name(path.name + ".part")
        digest = hashlib.sha256()
        try:
            with unfinished.open("wb") as file, progress(f"Receiving {path.name}", found.size) as tell:
                async for part in parts:
                    file.write(part.data)
                    digest.update(part.data)
                    tell(file.tell())
            if digest.hexdigest() != found.sha256:
                fail(f"{path}: what arrived is not what was stored, nothing was kept")
            unfinished.replace(path)
        except OSError as error:
            fail(f"{path}: cannot be written: {error.strerror or error}")
        finally:
            unfinished.unlink(missing_ok=True)
        return path, found
