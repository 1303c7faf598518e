"""RPCs on coaches for a whole cohort, and on what a coach has to look after."""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from livinglab.coaching.v1 import assignment_pb2, assignment_service_pb2_grpc, coaching_pb2
from livinglab.coaching.v1 import assignment_service_pb2 as pb
from livinglab.common.v1 import options_pb2

from chassis import auth, mongo
from chassis.errors import denied, invalid, not_found, precondition
from directory.known import Directory
from directory.projection import require_heard
from services.coaching.model.pairing import assigning, coached, coaches, matching
from services.coaching.store.assignments import Assigned, AssignmentRows
from services.coaching.store.coaching import Store
from services.coaching.store.plans import PlanStore


@dataclass(frozen=True)
class _Known:
    """What is known of a cohort: who coaches at all, who has left it, and each institution's assignment."""

    cohort_id: str
    rehearsal: str
    coaches: dict[str, coaching_pb2.Coach]
    gone: set[str]
    assigned: dict[str, Assigned]


@dataclass(frozen=True)
class _Question:
    """What a cohort's assignment starts from."""

    regions: list[matching.Region]
    candidates: matching.Candidates
    known: _Known


class AssignmentService(assignment_service_pb2_grpc.AssignmentServiceServicer):
    """The contract, on one store and the institutions that are known."""

    def __init__(self, rows: AssignmentRows, plans: PlanStore, store: Store, institutions: Directory) -> None:
        self._rows = rows
        self._plans = plans
        self._store = store
        self._institutions = institutions
        # Not among the threads that the database's driver and the tokens' keys need.
        self._solvers = ThreadPoolExecutor(1, thread_name_prefix="solver")

    async def PreviewAssignments(
        self, request: pb.PreviewAssignmentsRequest, context: Any
    ) -> pb.PreviewAssignmentsResponse:
        require_heard(self._institutions, *request.institutions)

        async def read(tx: mongo.Tx) -> _Question:
            return await self._asked(tx, request)

        question = await self._rows.db.transaction(read)
        return pb.PreviewAssignmentsResponse(pairs=await self._solved(question))

    async def AssignCoaches(self, request: pb.AssignCoachesRequest, context: Any) -> pb.AssignCoachesResponse:
        require_heard(self._institutions, *request.institutions)

        async def decide(tx: mongo.Tx) -> pb.AssignCoachesResponse:
            question = await self._asked(tx, request)
            pairs = await self._solved(question)
            assigning.require_placed(pairs, request.cohort_id)
            await self._keep(tx, pairs, question.known)
            return pb.AssignCoachesResponse(pairs=pairs)

        return await self._rows.db.once(request, decide, pb.AssignCoachesResponse)

    async def ReplaceCoach(self, request: pb.ReplaceCoachRequest, context: Any) -> pb.ReplaceCoachResponse:
        faults = coaches.faults(request, self._institutions)
        if faults:
            raise invalid(faults)

        async def decide(tx: mongo.Tx) -> pb.ReplaceCoachResponse:
            known = await self._known(tx, request.cohort_id, request.rehearsal)
            if request.coach_id not in known.coaches:
                raise not_found("coach", request.coach_id)
            if request.coach_id in known.gone:
                return pb.ReplaceCoachResponse()
            await self._rows.keep_gone(tx, request.cohort_id, request.coach_id, request.reason)
            known = replace(known, gone={*known.gone, request.coach_id})
            everybody = [one.institution for one in known.assigned.values() if not one.left]
            question = await self._question(tx, known, everybody, {})
            pairs = await self._solved(question)
            assigning.require_placed(pairs, request.cohort_id)
            moved = await self._keep(tx, pairs, known)
            tx.add(assigning.left(request.cohort_id, request.rehearsal, request.coach_id, request.reason, len(moved)))
            return pb.ReplaceCoachResponse(pairs=moved)

        return await self._rows.db.once(request, decide, pb.ReplaceCoachResponse)

    async def ListCoachedRegions(
        self, request: pb.ListCoachedRegionsRequest, context: Any
    ) -> pb.ListCoachedRegionsResponse:
        caller = auth.caller()
        coach_id = request.coach_id or caller.subject
        if caller.role == options_pb2.ROLE_COACH and coach_id != caller.subject:
            raise denied("OTHER_COACH", f"{caller.subject} sees their own regions")
        theirs = await self._rows.of_coach(coach_id, request.cohort_id)
        plans = await self._rows.plans(theirs)
        # Those of one cohort are of its realm, and without one they are of the real program.
        realm = theirs[0].rehearsal if theirs else ""
        rows = await self._rows.evaluations({one.institution for one in theirs}, realm)
        indices = {code: row["index"] for code, row in rows.items()}
        regions = [
            coached.region(
                one.cohort_id,
                one.institution,
                one.rehearsal,
                indices.get(one.institution),
                plans.get(coached.plan_id(one.cohort_id, one.institution)),
                self._institutions.now(one.institution).date(),
            )
            for one in theirs
        ]
        return pb.ListCoachedRegionsResponse(regions=sorted(regions, key=coached.urgency))

    async def _asked(self, tx: mongo.Tx, request: pb.PreviewAssignmentsRequest | pb.AssignCoachesRequest) -> _Question:
        """What was asked for, if it can be."""
        known = await self._known(tx, request.cohort_id, request.rehearsal)
        about = (request.institutions, request.choices, self._institutions)
        faults = assigning.faults(*about, known.coaches, known.gone)
        faults += coaches.faults(request, self._institutions)
        if faults:
            raise invalid(faults)
        chosen = {one.institution: one.coach_id for one in request.choices}
        return await self._question(tx, known, list(request.institutions), chosen)

    async def _known(self, tx: mongo.Tx, cohort_id: str, rehearsal: str) -> _Known:
        return _Known(
            cohort_id,
            rehearsal,
            {one.id: one for one in await self._store.coaches(tx, rehearsal)},
            await self._rows.gone(tx, cohort_id),
            {one.institution: one for one in await self._rows.of_cohort(tx, cohort_id)},
        )

    async def _question(
        self, tx: mongo.Tx, known: _Known, institutions: Sequence[str], chosen: Mapping[str, str]
    ) -> _Question:
        if not known.coaches:
            raise precondition("NO_COACHES", "no coach is registered: a manager registers the first")
        for one in known.assigned.values():
            coaches.require_realm(one.rehearsal, known.rehearsal, f"cohort {known.cohort_id}")
        gaps = await self._rows.gaps(tx, institutions, known.rehearsal)
        before = await self._rows.before(tx, known.rehearsal, known.cohort_id, institutions)
        taken: dict[str, int] = {}
        for code, one in known.assigned.items():
            if code not in institutions and not one.left:
                taken[one.coach_id] = taken.get(one.coach_id, 0) + 1
        regions = [
            matching.Region(
                code,
                self._institutions.time_zone(code),
                gaps.get(code, ()),
                known.assigned[code].coach_id if code in known.assigned else "",
                before.get(code, ()),
                chosen.get(code, ""),
            )
            for code in institutions
        ]
        ordered = [known.coaches[coach_id] for coach_id in sorted(known.coaches)]
        return _Question(regions, matching.Candidates(ordered, taken, known.gone), known)

    async def _solved(self, question: _Question) -> list[assignment_pb2.Pair]:
        run = asyncio.get_running_loop().run_in_executor
        now = datetime.now(UTC)
        return await run(self._solvers, matching.matched, question.regions, question.candidates, now)

    async def _keep(
        self, tx: mongo.Tx, pairs: Sequence[assignment_pb2.Pair], known: _Known
    ) -> list[assignment_pb2.Pair]:
        """Stores and tells those that are another than before."""
        changed = [pair for pair in pairs if not pair.kept]
        await self._rows.keep(tx, known.cohort_id, known.rehearsal, changed, known.assigned)
        for pair in changed:
            earlier = known.assigned.get(pair.institution)
            tx.add(assigning.assigned(known.cohort_id, known.rehearsal, pair, earlier.turn + 1 if earlier else 1))
            plan = await self._plans.find(tx, coached.plan_id(known.cohort_id, pair.institution)) if earlier else None
            if plan is not None:
                fact = assigning.handed_over(plan, pair.coach_id)
                await self._plans.save(tx, plan, fact)
        return changed
