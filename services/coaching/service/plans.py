"""RPCs on plans between their draft and their end: a method is a use case: read, decide, one transaction, answer."""

import asyncio
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from livinglab.coaching.v1 import coaching_pb2, plan_service_pb2_grpc, visit_pb2
from livinglab.coaching.v1 import plan_service_pb2 as pb
from livinglab.common.v1 import options_pb2

from chassis import auth, mongo, naming
from chassis.errors import not_found, precondition, unavailable
from directory.assignments import Assignments
from directory.known import Directory
from instruments.tree import Instrument
from services.coaching.model import agencies, amending, comments, paper, plan, proof, revisions, terms
from services.coaching.model.ground import Ground
from services.coaching.model.planning import Evaluation
from services.coaching.service.printing.html import html
from services.coaching.service.printing.pdf import pdf
from services.coaching.store.coaching import Store
from services.coaching.store.plans import PlanStore


async def reached(
    plans: PlanStore, assignments: Assignments, plan_id: str, tx: mongo.Tx | None = None
) -> coaching_pb2.Plan:
    """The plan, if the caller may reach its institution: its coach may, and whoever is assigned there."""
    found = await plans.plan(plan_id, tx)
    caller = auth.caller()
    if caller.role != options_pb2.ROLE_COACH or found.coach_id != caller.subject:
        await assignments.require(found.institution)
    caller.institution_checked = True
    return found


def shown(plan: coaching_pb2.Plan) -> coaching_pb2.Plan:
    """To an agency its part of it, to everybody else all."""
    agency = auth.caller().care()
    return plan if agency is None else agencies.part_of(plan, agency)


def require_owned(plan: coaching_pb2.Plan, action_id: str) -> None:
    """PERMISSION_DENIED where an agency asks for what is another one's."""
    agency = auth.caller().care()
    if agency is not None:
        agencies.require_owned(plan, action_id, agency)


class PlanService(plan_service_pb2_grpc.PlanServiceServicer):
    """The contract, on two stores and the institutions that are known."""

    def __init__(self, store: Store, plans: PlanStore, assignments: Assignments, institutions: Directory) -> None:
        self._store = store
        self._plans = plans
        self._assignments = assignments
        self._institutions = institutions
        self._printing = asyncio.Lock()

    async def EditPlan(self, request: pb.EditPlanRequest, context: Any) -> pb.EditPlanResponse:
        async def decide(tx: mongo.Tx) -> pb.EditPlanResponse:
            found = await self._own(request.plan_id, tx)
            fact = amending.edit(found, request, await self._ground(tx, found), auth.caller().subject)
            if fact is not None:
                await self._plans.save(tx, found, fact)
            return pb.EditPlanResponse(plan=found)

        return await self._store.db.once(request, decide, pb.EditPlanResponse, request.plan_id)

    async def ProposeAmendment(self, request: pb.ProposeAmendmentRequest, context: Any) -> pb.ProposeAmendmentResponse:
        async def decide(tx: mongo.Tx) -> pb.ProposeAmendmentResponse:
            found = await self._own(request.plan_id, tx)
            ground = await self._ground(tx, found)
            fact = amending.propose(found, request, ground, auth.caller().subject, datetime.now(UTC))
            await self._plans.save(tx, found, fact)
            return pb.ProposeAmendmentResponse(plan=found)

        return await self._store.db.once(request, decide, pb.ProposeAmendmentResponse, request.plan_id)

    async def ReviewAmendment(self, request: pb.ReviewAmendmentRequest, context: Any) -> pb.ReviewAmendmentResponse:
        who = auth.caller()

        async def decide(tx: mongo.Tx) -> pb.ReviewAmendmentResponse:
            found = await self._plans.plan(request.plan_id, tx)
            ground = await self._ground(tx, found)
            fact = amending.review(found, request, ground, who.subject, who.identity.institution)
            await self._plans.save(tx, found, fact)
            return pb.ReviewAmendmentResponse(plan=found)

        return await self._store.db.once(request, decide, pb.ReviewAmendmentResponse, request.plan_id)

    async def ReportProgress(self, request: pb.ReportProgressRequest, context: Any) -> pb.ReportProgressResponse:
        async def decide(tx: mongo.Tx) -> pb.ReportProgressResponse:
            found = await self._own(request.plan_id, tx)
            require_owned(found, request.action_id)
            fact = plan.progress(found, request.action_id, request.note, datetime.now(UTC))
            await self._plans.save(tx, found, fact)
            return pb.ReportProgressResponse(plan=shown(found))

        return await self._store.db.once(request, decide, pb.ReportProgressResponse, request.plan_id)

    async def CommentOnPlan(self, request: pb.CommentOnPlanRequest, context: Any) -> pb.CommentOnPlanResponse:
        new_id, now, who = naming.new_id(), datetime.now(UTC), auth.caller()

        async def decide(tx: mongo.Tx) -> pb.CommentOnPlanResponse:
            found = await self._own(request.plan_id, tx)
            made = comments.comment(found, request, new_id, who.subject, auth.role_name(who.role), now)
            await self._plans.add_comment(tx, made)
            tx.add(comments.commented(found, made))
            return pb.CommentOnPlanResponse(comment=made)

        return await self._store.db.once(request, decide, pb.CommentOnPlanResponse)

    async def ResolveComment(self, request: pb.ResolveCommentRequest, context: Any) -> pb.ResolveCommentResponse:
        async def decide(tx: mongo.Tx) -> pb.ResolveCommentResponse:
            known = await self._plans.comment(tx, request.comment_id)
            found = await self._own(known.plan_id, tx)
            fact = comments.resolve(found, known, request.answer, auth.caller().subject, datetime.now(UTC))
            if fact is not None:
                await self._plans.close_comment(tx, known)
                tx.add(fact)
            return pb.ResolveCommentResponse(comment=known)

        return await self._store.db.once(request, decide, pb.ResolveCommentResponse)

    async def ListPlanComments(self, request: pb.ListPlanCommentsRequest, context: Any) -> pb.ListPlanCommentsResponse:
        found = await self._own(request.plan_id)
        keys: dict[str, Any] = {"plan_id": found.id}
        if request.action_id:
            keys["action_id"] = request.action_id
        if request.open_only:
            keys["open"] = True
        said, token = await self._plans.comments(keys, request)
        return pb.ListPlanCommentsResponse(comments=said, next_page_token=token)

    async def ListPlanRevisions(
        self, request: pb.ListPlanRevisionsRequest, context: Any
    ) -> pb.ListPlanRevisionsResponse:
        found = await self._own(request.plan_id)
        return pb.ListPlanRevisionsResponse(revisions=await self._plans.revisions(found.id))

    async def ComparePlanRevisions(
        self, request: pb.ComparePlanRevisionsRequest, context: Any
    ) -> pb.ComparePlanRevisionsResponse:
        found = await self._own(request.plan_id)
        after = request.after or found.etag
        before = request.before or await self._before(found.id, after)
        was, now = await self._plans.revision(found.id, before), await self._plans.revision(found.id, after)
        return pb.ComparePlanRevisionsResponse(before=before, after=after, differences=revisions.compare(was, now))

    async def GetPlanProgress(self, request: pb.GetPlanProgressRequest, context: Any) -> pb.GetPlanProgressResponse:
        found = await self._own(request.plan_id)
        return pb.GetPlanProgressResponse(progress=self._measured(found, request.as_of))

    async def GetCohortProgress(
        self, request: pb.GetCohortProgressRequest, context: Any
    ) -> pb.GetCohortProgressResponse:
        keys: dict[str, Any] = {"cohort_id": request.cohort_id}
        seen = await self._assignments.reached(auth.caller())
        if seen is not None:
            keys["institution"] = {"$in": sorted(seen)}
        plans = await self._plans.every(keys)
        if not plans:
            raise not_found("plan", f"of cohort {request.cohort_id}")
        measured = [self._measured(one, request.as_of) for one in plans if one.state in plan.AGREED]
        held = {"cohort_id": request.cohort_id, "state": visit_pb2.VISIT_STATE_HELD}
        visits = await self._store.every_visit(held)
        by_institution = {one.institution: one for one in plans}
        followed_up = [
            proof.follows_up(
                [i for lesson in visit.lessons for i in lesson.indicators], by_institution.get(visit.visitor)
            )
            for visit in visits
            if seen is None or visit.visitor in seen
        ]
        return proof.together(plans, measured, followed_up)

    async def ExportPlan(self, request: pb.ExportPlanRequest, context: Any) -> pb.ExportPlanResponse:
        found = await self._own(request.plan_id)
        known = self._institutions.get(found.institution)
        printed = paper.paper(found, known.name if known else found.institution)
        name = f"rencana-aksi-{found.institution}-v{found.etag}"
        if request.format == pb.PAPER_FORMAT_HTML:
            return pb.ExportPlanResponse(content=html(printed), media_type="text/html", file_name=f"{name}.html")
        # To set pages takes a while: others must not wait for it, and the library sets one document at a time.
        async with self._printing:
            content = await asyncio.to_thread(pdf, printed)
        return pb.ExportPlanResponse(content=content, media_type="application/pdf", file_name=f"{name}.pdf")

    async def PreviewDrafts(self, request: pb.PreviewDraftsRequest, context: Any) -> pb.PreviewDraftsResponse:
        auth.caller().require_institution(request.institution)
        await self._assignments.require(request.institution)

        async def known(tx: mongo.Tx) -> tuple[Evaluation, Instrument]:
            about = (request.institution, request.rehearsal, request.evaluation_id)
            found = await self._store.newest_evaluation(tx, *about)
            if found is None:
                raise precondition("NO_EVALUATION", f"no submission of {request.institution} has arrived here yet")
            return found, await self._store.instrument_of(tx, found)

        evaluation, instrument = await self._store.db.transaction(known)
        today = self._institutions.now(request.institution).date()
        # To solve takes a tenth of a second: others must not wait for it.
        return await asyncio.to_thread(terms.preview, request, evaluation, instrument, today)

    def _measured(self, found: coaching_pb2.Plan, as_of: str) -> pb.PlanProgress:
        today = date.fromisoformat(as_of) if as_of else None
        if not as_of and not found.rehearsal:
            today = self._institutions.now(found.institution).date()
        return proof.measure(found, today, self._institutions.time_zone(found.institution))

    async def _before(self, plan_id: str, etag: str) -> str:
        """The revision before that one. NOT_FOUND for the first."""
        known = [one.revision for one in await self._plans.revisions(plan_id)]
        later = known.index(etag) if etag in known else len(known)
        if later + 1 >= len(known):
            raise not_found("revision", f"before {etag} of {plan_id}")
        return known[later + 1]

    async def _own(self, plan_id: str, tx: mongo.Tx | None = None) -> coaching_pb2.Plan:
        return await reached(self._plans, self._assignments, plan_id, tx)

    async def _ground(self, tx: mongo.Tx, found: coaching_pb2.Plan) -> Ground:
        """What changes of this plan are held against. UNAVAILABLE while a fact of it is under way."""
        evaluation = await self._store.newest_evaluation(tx, found.institution, found.rehearsal, found.evaluation_id)
        if evaluation is None:
            raise unavailable(f"the projection of evaluation {found.evaluation_id}")
        instrument = await self._store.instrument_of(tx, evaluation)
        values: dict[str, Decimal] = dict(evaluation.values)
        window = await self._plans.window(tx, found.cohort_id)
        return Ground(self._institutions, instrument, values, window)
