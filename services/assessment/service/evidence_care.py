"""RPCs on evidence after it was stored: links, validity, revisions; and the look-out for what ends soon."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from livinglab.assessment.v1 import evidence_care_service_pb2 as pb
from livinglab.assessment.v1 import evidence_care_service_pb2_grpc, evidence_pb2

from chassis import auth, mongo, naming, telemetry
from chassis.errors import Kind, Refused, Violation, invalid
from services.assessment.model import cycle, revisions
from services.assessment.store.evidence import DatabaseFailure, EvidenceStore

# A day more or less is nobody's loss.
_LOOK_SECONDS = 5.0
_MOST = 100

Reader = Callable[[evidence_pb2.Evidence], Awaitable[None]]


class EvidenceCareService(evidence_care_service_pb2_grpc.EvidenceCareServiceServicer):
    """The contract, on the store of evidence; `require_reader` says who may read a piece."""

    def __init__(self, store: EvidenceStore, require_reader: Reader) -> None:
        self._store = store
        self._require_reader = require_reader

    async def NoteLink(self, request: pb.NoteLinkRequest, context: Any) -> pb.NoteLinkResponse:
        caller = auth.caller()
        caller.require_institution(request.institution)
        agency = caller.care()
        now, new_id = datetime.now(UTC), naming.new_id()
        if faults := list(revisions.faults(request, now.date())):
            raise invalid(faults)

        async def decide(tx: mongo.Tx) -> pb.NoteLinkResponse:
            found = await self._store.of_link(tx, request.institution, request.link)
            if found is None:
                found = _noted(new_id, request, now)
                if request.revises:
                    before = await self._store.get(request.revises, tx)
                    found.revision = revisions.require_revisable(before, request)
                    if agency is not None:
                        _require_own(before)
                await self._store.add(tx, found)
                tx.add(revisions.uploaded(found))
            elif agency is not None:
                _require_own(found)
            return pb.NoteLinkResponse(evidence=found)

        return await self._store.db.once(request, decide, pb.NoteLinkResponse)

    async def SetEvidenceValidity(
        self, request: pb.SetEvidenceValidityRequest, context: Any
    ) -> pb.SetEvidenceValidityResponse:
        async def decide(tx: mongo.Tx) -> pb.SetEvidenceValidityResponse:
            found = await self._store.get(request.evidence_id, tx)
            auth.caller().require_institution(found.institution)
            if request.valid_until and request.valid_until < found.document_date:
                reason = f"is before the day of the document, {found.document_date}"
                raise invalid([Violation("valid_until", reason)])
            if found.valid_until != request.valid_until:
                found.valid_until = request.valid_until
                version = await self._store.set_validity(tx, found.id, request.valid_until)
                tx.add(revisions.validity_changed(found, version))
            return pb.SetEvidenceValidityResponse(evidence=found)

        return await self._store.db.once(request, decide, pb.SetEvidenceValidityResponse)

    async def ListEvidenceRevisions(
        self, request: pb.ListEvidenceRevisionsRequest, context: Any
    ) -> pb.ListEvidenceRevisionsResponse:
        await self._require_reader(await self._store.get(request.evidence_id))
        found = await self._store.revisions(request.evidence_id)
        return pb.ListEvidenceRevisionsResponse(revisions=revisions.compared(found))

    async def look_out(self) -> None:
        """Tells of pieces that end soon, until cancelled. Each process looks; who stores it first has told it."""
        while True:
            try:
                day = cycle.today(datetime.now(UTC)) + timedelta(days=revisions.REMIND_DAYS)
                for one in await self._store.ending(day.isoformat(), _MOST):
                    await self._tell(one)
            except DatabaseFailure as error:
                telemetry.log.warning("waiting", for_="MongoDB", because=type(error).__name__)
            await asyncio.sleep(_LOOK_SECONDS)

    async def _tell(self, found: evidence_pb2.Evidence) -> None:
        async def decide(tx: mongo.Tx) -> None:
            version = await self._store.told(tx, found.id)
            if version:
                tx.add(revisions.expiring(found, version))

        await self._store.db.transaction(decide)


def _require_own(found: evidence_pb2.Evidence) -> None:
    """HELD for an agency that names what others of its institution hold."""
    if found.uploaded_by != auth.caller().subject:
        message = f"{found.institution} holds this already: ask for it to be shown for the indicator"
        raise Refused(Kind.ALREADY_EXISTS, "HELD", message, resource=("evidence", found.institution))


def _noted(new_id: str, request: pb.NoteLinkRequest, now: datetime) -> evidence_pb2.Evidence:
    return evidence_pb2.Evidence(
        id=new_id,
        institution=request.institution,
        title=request.title,
        content_type=evidence_pb2.CONTENT_TYPE_LINK,
        document_date=request.document_date,
        uploaded_by=auth.caller().subject,
        agency=auth.caller().care() or "",
        upload_time=mongo.timestamp(now),
        link=request.link,
        valid_until=request.valid_until,
        revises=request.revises,
        revision=1,
        change=request.change,
    )
