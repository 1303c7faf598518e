"""RPCs on coaches for a whole cohort, and on what a coach has to look after."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from livinglab.coaching.v1 import assignment_pb2, assignment_service_pb2_grpc
from livinglab.coaching.v1 import assignment_service_pb2 as pb
from livinglab.common.v1 import options_pb2

from chassis import auth, mongo
from chassis.errors import denied, invalid, precondition
from directory.known import Directory
from directory.projection import require_heard
from services.coaching.model import assigning, coached, coaches, matching
from services.coaching.store.assignments import Assigned, AssignmentRows
from services.coaching.store.coaching import Store
from services.coaching.store.plans import PlanStore


@dataclass(frozen=True)
class _Question:
    """What a cohort's assignment starts from."""

    regions: list[matching.Region]
    candidates: matching.Candidates
    known: dict[str, Assigned]


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
            await self._keep(tx, request.cohort_id, request.rehearsal, pairs, question)
            return pb.AssignCoachesResponse(pairs=pairs)

        return await self._rows.db.once(request, decide, pb.AssignCoachesResponse)

    async def ReplaceCoach(self, request: pb.ReplaceCoachRequest, context: Any) -> pb.ReplaceCoachResponse:
        faults = coaches.faults(request, self._institutions)
        if faults:
            raise invalid(faults)

        async def decide(tx: mongo.Tx) -> pb.ReplaceCoachResponse:
            await self._store.coach(tx, request.rehearsal, request.coach_id)
            if request.coach_id in await self._rows.gone(tx, request.cohort_id):
                return pb.ReplaceCoachResponse()
            theirs = await self._rows.of_cohort(tx, request.cohort_id)
            for one in theirs:
                coaches.require_realm(one.rehearsal, request.rehearsal, f"cohort {request.cohort_id}")
            await self._rows.keep_gone(tx, request.cohort_id, request.coach_id, request.reason)
            everybody = [one.institution for one in theirs if not one.left]
            question = await self._question(tx, request.cohort_id, request.rehearsal, everybody, {})
            pairs = await self._solved(question)
            assigning.require_placed(pairs, request.cohort_id)
            moved = await self._keep(tx, request.cohort_id, request.rehearsal, pairs, question)
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
        evaluations: dict[str, dict[str, Any]] = {}
        for rehearsal in {one.rehearsal for one in theirs}:
            codes = [one.institution for one in theirs if one.rehearsal == rehearsal]
            found = await self._rows.evaluations(codes, rehearsal)
            evaluations |= {f"{rehearsal}/{code}": row for code, row in found.items()}
        regions = [
            coached.region(
                one.cohort_id,
                one.institution,
                one.rehearsal,
                evaluations.get(f"{one.rehearsal}/{one.institution}"),
                plans.get(coached.plan_id(one.cohort_id, one.institution)),
                self._institutions.now(one.institution).date().isoformat(),
            )
            for one in theirs
        ]
        return pb.ListCoachedRegionsResponse(regions=sorted(regions, key=coached.urgency))

    async def _asked(self, tx: mongo.Tx, request: pb.PreviewAssignmentsRequest | pb.AssignCoachesRequest) -> _Question:
        """What was asked for, if it can be."""
        known = {one.id: one for one in await self._store.coaches(tx, request.rehearsal)}
        gone = await self._rows.gone(tx, request.cohort_id)
        faults = assigning.faults(request.institutions, request.choices, self._institutions, known, gone)
        faults += coaches.faults(request, self._institutions)
        if faults:
            raise invalid(faults)
        chosen = {one.institution: one.coach_id for one in request.choices}
        return await self._question(tx, request.cohort_id, request.rehearsal, list(request.institutions), chosen)

    async def _question(
        self, tx: mongo.Tx, cohort_id: str, rehearsal: str, institutions: Sequence[str], chosen: dict[str, str]
    ) -> _Question:
        everybody = await self._store.coaches(tx, rehearsal)
        if not everybody:
            raise precondition("NO_COACHES", "no coach is registered: a manager registers the first")
        known = {one.institution: one for one in await self._rows.of_cohort(tx, cohort_id)}
        for one in known.values():
            coaches.require_realm(one.rehearsal, rehearsal, f"cohort {cohort_id}")
        gaps = await self._rows.gaps(tx, institutions, rehearsal)
        before = await self._rows.before(tx, rehearsal, cohort_id, institutions)
        taken: dict[str, int] = {}
        for code, one in known.items():
            if code not in institutions and not one.left:
                taken[one.coach_id] = taken.get(one.coach_id, 0) + 1
        regions = [
            matching.Region(
                code,
                self._institutions.time_zone(code),
                gaps.get(code, ()),
                known[code].coach_id if code in known else "",
                before.get(code, ()),
                chosen.get(code, ""),
            )
            for code in institutions
        ]
        gone = await self._rows.gone(tx, cohort_id)
        ordered = sorted(everybody, key=lambda coach: coach.id)
        return _Question(regions, matching.Candidates(ordered, taken, gone), known)

    async def _solved(self, question: _Question) -> list[assignment_pb2.Pair]:
        run = asyncio.get_running_loop().run_in_executor
        now = datetime.now(UTC)
        return await run(self._solvers, matching.matched, question.regions, question.candidates, now)

    async def _keep(
        self,
        tx: mongo.Tx,
        cohort_id: str,
        rehearsal: str,
        pairs: Sequence[assignment_pb2.Pair],
        question: _Question,
    ) -> list[assignment_pb2.Pair]:
        """Stores and tells those that are another than before."""
        changed = [pair for pair in pairs if not pair.kept]
        await self._rows.keep(tx, cohort_id, rehearsal, changed, question.known)
        for pair in changed:
            earlier = question.known.get(pair.institution)
            tx.add(assigning.assigned(cohort_id, rehearsal, pair, earlier.turn + 1 if earlier else 1))
            plan = await self._plans.find(tx, coached.plan_id(cohort_id, pair.institution)) if earlier else None
            if plan is not None:
                fact = assigning.handed_over(plan, pair.coach_id)
                await self._plans.save(tx, plan, fact)
        return changed
