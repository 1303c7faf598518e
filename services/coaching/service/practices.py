"""RPCs on good practices: one method is one use case: read, decide, one transaction, answer."""

from typing import Any

from livinglab.coaching.v1 import practice_pb2, practice_service_pb2_grpc
from livinglab.coaching.v1 import practice_service_pb2 as pb
from livinglab.common.v1 import options_pb2

from chassis import auth, mongo, naming
from chassis.errors import Refused, denied, invalid, invalid_field, not_found, precondition
from directory.assignments import Assignments
from directory.known import Directory
from directory.projection import require_heard
from services.coaching.model.catalogue import practices, replications
from services.coaching.model.pairing import coaches
from services.coaching.store.coaching import Store
from services.coaching.store.practices import Practices

_MATCHES = 20
_PUBLISHED, _DRAFT = practice_pb2.PRACTICE_STATE_PUBLISHED, practice_pb2.PRACTICE_STATE_DRAFT


class PracticeService(practice_service_pb2_grpc.PracticeServiceServicer):
    """The contract, on the catalogue and what coaching knows of evaluations."""

    def __init__(self, catalogue: Practices, store: Store, assignments: Assignments, institutions: Directory) -> None:
        self._catalogue = catalogue
        self._store = store
        self._assignments = assignments
        self._institutions = institutions

    async def SavePractice(self, request: pb.SavePracticeRequest, context: Any) -> pb.SavePracticeResponse:
        auth.caller().require_institution(request.institution)
        require_heard(self._institutions, request.institution)
        new_id = naming.new_id()

        async def decide(tx: mongo.Tx) -> pb.SavePracticeResponse:
            known = await self._own(request.practice_id, tx) if request.practice_id else None
            instrument = await self._store.newest_instrument(tx, request.instrument)
            faults = practices.faults(request, self._institutions, instrument)
            if faults:
                raise invalid(faults)
            practice, fact = practices.saved(request, request.practice_id or new_id, known)
            await self._catalogue.save(tx, practice)
            if fact is not None:
                tx.add(fact)
            return pb.SavePracticeResponse(practice=practice)

        return await self._catalogue.db.once(request, decide, pb.SavePracticeResponse)

    async def PublishPractice(self, request: pb.PublishPracticeRequest, context: Any) -> pb.PublishPracticeResponse:
        async def decide(tx: mongo.Tx) -> pb.PublishPracticeResponse:
            practice = await self._own(request.practice_id, tx)
            fact = practices.published(practice)
            if fact is not None:
                await self._catalogue.save(tx, practice)
                tx.add(fact)
            return pb.PublishPracticeResponse(practice=practice)

        return await self._catalogue.db.once(request, decide, pb.PublishPracticeResponse)

    async def WithdrawPractice(self, request: pb.WithdrawPracticeRequest, context: Any) -> pb.WithdrawPracticeResponse:
        faults = coaches.faults(request, self._institutions)
        if faults:
            raise invalid(faults)

        async def decide(tx: mongo.Tx) -> pb.WithdrawPracticeResponse:
            practice = await self._own(request.practice_id, tx)
            fact = practices.withdrawn(practice, request.reason)
            if fact is not None:
                await self._catalogue.save(tx, practice)
                tx.add(fact)
            return pb.WithdrawPracticeResponse(practice=practice)

        return await self._catalogue.db.once(request, decide, pb.WithdrawPracticeResponse)

    async def GetPractice(self, request: pb.GetPracticeRequest, context: Any) -> pb.GetPracticeResponse:
        practice = await self._catalogue.practice(request.practice_id)
        caller = auth.caller()
        hidden = practice.state == _DRAFT or (practice.rehearsal and caller.role == options_pb2.ROLE_PUBLIC)
        if hidden and caller.role != options_pb2.ROLE_MANAGER and caller.bound_to != practice.institution:
            raise not_found("practice", request.practice_id)
        return pb.GetPracticeResponse(practice=practice)

    async def ListPractices(self, request: pb.ListPracticesRequest, context: Any) -> pb.ListPracticesResponse:
        caller = auth.caller()
        if request.rehearsal and caller.role == options_pb2.ROLE_PUBLIC:
            raise denied("REHEARSAL", "rehearsals are not for the public")
        keys: dict[str, Any] = {"rehearsal": request.rehearsal}
        if not request.drafts:
            keys["state"] = _PUBLISHED
        elif caller.role != options_pb2.ROLE_MANAGER and (
            caller.bound_to is None or caller.bound_to != request.institution
        ):
            raise denied("DRAFTS", "drafts are for managers, and for who names their own institution")
        keys |= {
            name: getattr(request, name) for name in ("institution", "instrument", "kind") if getattr(request, name)
        }
        if request.indicator:
            keys["levels.indicator"] = request.indicator
        found, token = await self._catalogue.page(keys, request)
        return pb.ListPracticesResponse(practices=found, next_page_token=token)

    async def ListPracticeMatches(
        self, request: pb.ListPracticeMatchesRequest, context: Any
    ) -> pb.ListPracticeMatchesResponse:
        await self._assignments.require(request.institution)

        async def read(tx: mongo.Tx) -> pb.ListPracticeMatchesResponse:
            evaluation = await self._store.newest_evaluation(tx, request.institution, request.rehearsal)
            if evaluation is None:
                about = f"no submitted evaluation of {request.institution} has arrived here yet"
                raise precondition("NO_EVALUATION", about)
            instrument = await self._store.instrument_of(tx, evaluation)
            others = await self._catalogue.published(
                tx, request.rehearsal, evaluation.instrument, but=request.institution
            )
            found = practices.matches(instrument, evaluation.values, others, request.size or _MATCHES)
            return pb.ListPracticeMatchesResponse(evaluation_id=evaluation.id, matches=found)

        return await self._catalogue.db.transaction(read)

    async def RequestReplication(
        self, request: pb.RequestReplicationRequest, context: Any
    ) -> pb.RequestReplicationResponse:
        auth.caller().require_institution(request.institution)
        require_heard(self._institutions, request.institution)
        if request.institution not in self._institutions:
            raise invalid_field("institution", f"{request.institution} is not a known institution")

        async def decide(tx: mongo.Tx) -> pb.RequestReplicationResponse:
            practice = await self._catalogue.practice(request.practice_id, tx)
            if practice.state == _DRAFT:
                raise not_found("practice", request.practice_id)
            key = replications.replication_id(practice.id, request.institution)
            replication, fact = replications.requested(
                request, practice, await self._catalogue.find_replication(tx, key)
            )
            if fact is not None:
                await self._catalogue.save_replication(tx, replication)
                tx.add(fact)
            return pb.RequestReplicationResponse(replication=replication)

        return await self._catalogue.db.once(request, decide, pb.RequestReplicationResponse)

    async def AnswerReplication(
        self, request: pb.AnswerReplicationRequest, context: Any
    ) -> pb.AnswerReplicationResponse:
        async def decide(tx: mongo.Tx) -> pb.AnswerReplicationResponse:
            replication = await self._replication(tx, request.replication_id)
            auth.caller().require_institution(replication.host)
            fact = replications.answered(replication, request)
            if fact is not None:
                await self._catalogue.save_replication(tx, replication)
                tx.add(fact)
            return pb.AnswerReplicationResponse(replication=replication)

        return await self._catalogue.db.once(request, decide, pb.AnswerReplicationResponse)

    async def ReportReplication(
        self, request: pb.ReportReplicationRequest, context: Any
    ) -> pb.ReportReplicationResponse:
        async def decide(tx: mongo.Tx) -> pb.ReportReplicationResponse:
            replication = await self._replication(tx, request.replication_id)
            auth.caller().require_institution(replication.institution)
            fact = replications.reported(replication, request)
            if fact is not None:
                await self._catalogue.save_replication(tx, replication)
                tx.add(fact)
            return pb.ReportReplicationResponse(replication=replication)

        return await self._catalogue.db.once(request, decide, pb.ReportReplicationResponse)

    async def ListReplications(self, request: pb.ListReplicationsRequest, context: Any) -> pb.ListReplicationsResponse:
        caller = auth.caller()
        if caller.bound_to is not None and not request.institution:
            raise denied("INSTITUTION_NEEDED", "name your own institution")
        caller.require_institution(request.institution)
        keys: dict[str, Any] = {"rehearsal": request.rehearsal}
        if request.practice_id:
            keys["practice_id"] = request.practice_id
        if request.institution:
            await self._assignments.require(request.institution)
            keys["parties"] = request.institution
        elif (reached := await self._assignments.reached(caller)) is not None:
            keys["parties"] = {"$in": sorted(reached)}
        found, token = await self._catalogue.replication_page(keys, request)
        return pb.ListReplicationsResponse(replications=found, next_page_token=token)

    async def _own(self, practice_id: str, tx: mongo.Tx) -> practice_pb2.Practice:
        """The practice, if the caller may speak for whose it is; drafts of others are not told of."""
        practice = await self._catalogue.practice(practice_id, tx)
        try:
            auth.caller().require_institution(practice.institution)
        except Refused:
            if practice.state == _DRAFT:
                raise not_found("practice", practice_id) from None
            raise
        return practice

    async def _replication(self, tx: mongo.Tx, replication_id: str) -> practice_pb2.Replication:
        found = await self._catalogue.find_replication(tx, replication_id)
        if found is None:
            raise not_found("replication", replication_id)
        return found
