"""A file's way in: announced, sent in one or more goes, checked, stored. EvidenceService moves bytes by it."""

import re
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta

from livinglab.assessment.v1 import evidence_pb2
from livinglab.assessment.v1 import evidence_service_pb2 as pb

from chassis import auth, mongo, naming
from chassis.errors import Kind, Refused, Violation, denied, invalid, invalid_field, not_found
from services.assessment.model import revisions
from services.assessment.store.evidence import EvidenceStore
from services.assessment.store.files import EvidenceFiles, Incoming

MOST_UPLOADS = 20
_KEPT = timedelta(days=7)
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Uploads:
    """Uploads of all institutions, on the store and the files."""

    def __init__(self, store: EvidenceStore, files: EvidenceFiles) -> None:
        self._store = store
        self._files = files

    async def start(self, request: pb.StartUploadRequest) -> pb.StartUploadResponse:
        """What is there of this content already, or a new upload."""
        now = datetime.now(UTC)
        _require_valid(request, now.date())
        for upload_id in await self._store.stale_uploads(request.institution, now - _KEPT):
            await self._discard(upload_id)
        # Made here and not in the transaction, which may run twice.
        new_id = naming.new_id()

        async def decide(tx: mongo.Tx) -> pb.StartUploadResponse:
            found, complete = await self._store.of_content(tx, request.institution, request.sha256)
            if found is not None:
                _require_own(found)
                if complete and request.revises:
                    raise invalid_field("sha256", f"is the content of evidence {found.id}: a revision has another one")
            if found is None:
                found = _announced(new_id, request, now)
                if request.revises:
                    before = await self._store.get(request.revises, tx)
                    _require_own(before)
                    found.revision = revisions.require_revisable(before, request)
                if await self._store.uploads(tx, request.institution) >= MOST_UPLOADS:
                    message = f"{MOST_UPLOADS} uploads of {request.institution} are unfinished: end one of them first"
                    raise Refused(Kind.RESOURCE_EXHAUSTED, "TOO_MANY_UPLOADS", message)
                await self._store.announce(tx, found)
            return pb.StartUploadResponse(upload=_upload(found, complete=complete))

        answer = await self._store.db.once(request, decide, pb.StartUploadResponse)
        if not answer.upload.HasField("evidence"):
            answer.upload.offset = await self._files.offset(answer.upload.id)
        return answer

    async def state(self, upload_id: str) -> evidence_pb2.Upload:
        """How far an upload is."""
        pending = await self._store.upload(upload_id)
        complete = pending is None
        found = pending or await self._store.find(upload_id)
        if found is None:
            raise not_found("upload", upload_id)
        caller = auth.caller()
        caller.require_institution(found.institution)
        if caller.care() is not None and found.uploaded_by != caller.subject:
            raise denied("OTHER_UPLOAD", f"{caller.subject} did not announce upload {upload_id}")
        offset = found.size if complete else await self._files.offset(upload_id)
        return _upload(found, offset, complete=complete)

    async def send(self, requests: AsyncIterator[pb.SendUploadRequest]) -> evidence_pb2.Upload:
        """Takes the messages of one go."""
        incoming: Incoming | None = None
        async for request in requests:
            if incoming is None:
                if not request.upload_id:
                    raise invalid_field("messages[0].upload_id", "is required")
                state = await self.state(request.upload_id)
                pending = await self._store.upload(request.upload_id)
                if pending is None:
                    return state
                incoming = await self._files.resume(pending)
            elif request.upload_id not in ("", incoming.pending.id):
                raise invalid_field("upload_id", "is another one than in the first message")
            await self._take(incoming, request)
        if incoming is None:
            raise invalid_field("messages[0]", "is required: the stream was empty")
        return await self._end(incoming)

    async def _take(self, incoming: Incoming, request: pb.SendUploadRequest) -> None:
        try:
            await incoming.take(request.offset, request.data)
        except Refused as refused:
            await self._drop_if_bad(incoming, refused)
            raise

    async def _end(self, incoming: Incoming) -> evidence_pb2.Upload:
        try:
            if not await incoming.end():
                return _upload(incoming.pending, incoming.received)
            kind = await self._files.kind(incoming)
        except Refused as refused:
            await self._drop_if_bad(incoming, refused)
            raise
        return await self._complete(incoming.pending, kind)

    async def _complete(
        self, pending: evidence_pb2.Evidence, kind: evidence_pb2.ContentType.ValueType
    ) -> evidence_pb2.Upload:
        evidence = evidence_pb2.Evidence()
        evidence.CopyFrom(pending)
        evidence.content_type = kind
        evidence.upload_time.FromDatetime(datetime.now(UTC))

        async def decide(tx: mongo.Tx) -> None:
            if await self._store.complete(tx, evidence):
                await self._files.close(tx, evidence)
                tx.add(revisions.uploaded(evidence))

        try:
            await self._store.db.transaction(decide)
        except Refused as refused:
            if refused.reason == "REVISED":
                # Another revision was quicker: this one has no place any more.
                await self._discard(pending.id)
            raise
        return _upload(await self._store.get(evidence.id), evidence.size, complete=True)

    async def _drop_if_bad(self, incoming: Incoming, refused: Refused) -> None:
        """Content that can never be taken does not stay."""
        if refused.kind == Kind.INVALID_ARGUMENT:
            with suppress(Refused):
                await incoming.settle()
            await self._discard(incoming.pending.id)

    async def _discard(self, upload_id: str) -> None:
        # In this order, so that a crash between the two leaves no chunk without an owner.
        await self._files.discard(upload_id)
        await self._store.forget(upload_id)


def _require_own(found: evidence_pb2.Evidence) -> None:
    """HELD for an agency that announces what others of its institution hold: it is not told whose that is, or what."""
    caller = auth.caller()
    if caller.care() is not None and found.uploaded_by != caller.subject:
        message = f"{found.institution} holds a file of this content: ask for it to be shown for the indicator"
        raise Refused(Kind.ALREADY_EXISTS, "HELD", message, resource=("file", found.sha256))


def _require_valid(request: pb.StartUploadRequest, today: date) -> None:
    faults = []
    if not _SHA256.fullmatch(request.sha256):
        faults.append(Violation("sha256", "must be 64 lower-case hexadecimal digits"))
    if not request.file_name.isprintable() or "/" in request.file_name or "\\" in request.file_name:
        faults.append(Violation("file_name", "must be a plain name of a file"))
    faults += revisions.faults(request, today)
    if faults:
        raise invalid(faults)


def _announced(upload_id: str, request: pb.StartUploadRequest, now: datetime) -> evidence_pb2.Evidence:
    return evidence_pb2.Evidence(
        id=upload_id,
        institution=request.institution,
        file_name=request.file_name,
        title=request.title,
        size=request.size,
        sha256=request.sha256,
        document_date=request.document_date,
        uploaded_by=auth.caller().subject,
        agency=auth.caller().care() or "",
        upload_time=mongo.timestamp(now),
        valid_until=request.valid_until,
        revises=request.revises,
        revision=1,
        change=request.change,
    )


def _upload(found: evidence_pb2.Evidence, offset: int = 0, *, complete: bool = False) -> evidence_pb2.Upload:
    return evidence_pb2.Upload(
        id=found.id,
        institution=found.institution,
        file_name=found.file_name,
        size=found.size,
        sha256=found.sha256,
        offset=found.size if complete else offset,
        evidence=found if complete else None,
    )
