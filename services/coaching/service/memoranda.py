"""RPCs on agreements between institutions, and the look-out for those that end."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from livinglab.coaching.v1 import memorandum_pb2, memorandum_service_pb2_grpc
from livinglab.coaching.v1 import memorandum_service_pb2 as pb

from chassis import auth, mongo, naming, telemetry
from chassis.errors import Refused, denied
from directory.assignments import Assignments, not_assigned
from directory.known import Directory
from services.coaching.model import memoranda
from services.coaching.store.memoranda import DatabaseFailure, Memoranda

_LOOK_SECONDS = 5.0
_MOST = 100


class MemorandumService(memorandum_service_pb2_grpc.MemorandumServiceServicer):
    """The contract, on what is kept of agreements and the institutions that are known."""

    def __init__(self, kept: Memoranda, assignments: Assignments, institutions: Directory) -> None:
        self._kept = kept
        self._assignments = assignments
        self._institutions = institutions

    async def SaveMemorandum(self, request: pb.SaveMemorandumRequest, context: Any) -> pb.SaveMemorandumResponse:
        first = request.parties[0].institution if request.parties else ""
        auth.caller().require_institution(first)
        memoranda.require_sound(request, self._institutions, self._institutions.now(first).date())
        new_id = naming.new_id()

        async def decide(tx: mongo.Tx) -> pb.SaveMemorandumResponse:
            known = await self._kept.get(request.memorandum_id, tx) if request.memorandum_id else None
            if known is not None:
                auth.caller().require_institution(known.parties[0].institution)
            found, fact = memoranda.saved(request, new_id, known)
            await self._kept.save(tx, found)
            tx.add(fact)
            return pb.SaveMemorandumResponse(memorandum=found)

        return await self._kept.db.once(request, decide, pb.SaveMemorandumResponse)

    async def SignMemorandum(self, request: pb.SignMemorandumRequest, context: Any) -> pb.SignMemorandumResponse:
        who, now = auth.caller(), datetime.now(UTC)
        who.require_institution(request.party)
        if who.bound_to is None and request.party in self._institutions:
            raise denied("OTHER_INSTITUTION", f"{request.party} signs by its own regent or mayor")

        async def decide(tx: mongo.Tx) -> pb.SignMemorandumResponse:
            found = await self._kept.get(request.memorandum_id, tx)
            fact = memoranda.sign(found, request.party, who.subject, now)
            if fact is not None:
                await self._kept.save(tx, found)
                tx.add(fact)
            return pb.SignMemorandumResponse(memorandum=found)

        return await self._kept.db.once(request, decide, pb.SignMemorandumResponse)

    async def EndMemorandum(self, request: pb.EndMemorandumRequest, context: Any) -> pb.EndMemorandumResponse:
        async def decide(tx: mongo.Tx) -> pb.EndMemorandumResponse:
            found = await self._reached(await self._kept.get(request.memorandum_id, tx))
            fact = memoranda.end(found, request.reason)
            await self._kept.save(tx, found)
            tx.add(fact)
            return pb.EndMemorandumResponse(memorandum=found)

        return await self._kept.db.once(request, decide, pb.EndMemorandumResponse)

    async def GetMemorandum(self, request: pb.GetMemorandumRequest, context: Any) -> pb.GetMemorandumResponse:
        return pb.GetMemorandumResponse(memorandum=await self._reached(await self._kept.get(request.memorandum_id)))

    async def ListMemoranda(self, request: pb.ListMemorandaRequest, context: Any) -> pb.ListMemorandaResponse:
        caller = auth.caller()
        keys: dict[str, Any] = {"rehearsal": request.rehearsal}
        reached = await self._assignments.reached(caller)
        if not request.institution and (caller.bound_to is not None or reached is not None):
            raise denied("INSTITUTION_NEEDED", "name an institution")
        caller.require_institution(request.institution)
        if request.institution:
            await self._assignments.require(request.institution)
            keys["codes"] = request.institution
        keys |= {name: value for name in ("cohort_id", "state") if (value := getattr(request, name))}
        found, token = await self._kept.page(keys, request)
        return pb.ListMemorandaResponse(memoranda=found, next_page_token=token)

    async def look_out(self) -> None:
        """Tells of agreements that end soon and closes those that are over, until cancelled. Each process looks; who
        stores it first has told it."""
        while True:
            try:
                # No zone is further ahead; each is looked at by its own day.
                day = (datetime.now(UTC) + timedelta(days=memoranda.REMIND_DAYS + 1)).date().isoformat()
                for one in await self._kept.ending(day, _MOST):
                    # On a copy that is thrown away: no transaction for a day that is not there yet.
                    if memoranda.due(one, self._institutions.now(one.parties[0].institution)) is not None:
                        await self._close(one.id)
            except DatabaseFailure as error:
                telemetry.log.warning("waiting", for_="MongoDB", because=type(error).__name__)
            except Refused as error:
                # Somebody else wrote first: it is looked at again.
                telemetry.log.info("waiting", for_="an agreement", because=str(error)[:200])
            await asyncio.sleep(_LOOK_SECONDS)

    async def _close(self, memorandum_id: str) -> None:
        async def decide(tx: mongo.Tx) -> None:
            found = await self._kept.get(memorandum_id, tx)
            fact = memoranda.due(found, self._institutions.now(found.parties[0].institution))
            if fact is not None:
                await self._kept.save(tx, found)
                tx.add(fact)

        await self._kept.db.transaction(decide)

    async def _reached(self, found: memorandum_pb2.Memorandum) -> memorandum_pb2.Memorandum:
        """The agreement, if the caller's institution, or one that it coaches, is a party."""
        caller = auth.caller()
        codes = [party.institution for party in found.parties if party.institution]
        caller.require_institution(caller.bound_to if caller.bound_to in codes else codes[0])
        for code in codes:
            if await self._assignments.reaches(caller, code):
                return found
        raise not_assigned(caller, f"agreement {found.id}")
