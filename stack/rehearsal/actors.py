"""The actors of one region: operators, head, secretary, regent and their coach, each doing a phase's duties in turn."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from livinglab.assessment.v1 import evaluation_pb2
from livinglab.assessment.v1 import service_pb2 as assessment
from livinglab.coaching.v1 import action_pb2, coaching_pb2, minutes_pb2
from livinglab.coaching.v1 import minutes_service_pb2 as minutes
from livinglab.coaching.v1 import plan_service_pb2 as plans
from livinglab.coaching.v1 import service_pb2 as coaching
from livinglab.common.v1 import options_pb2
from livinglab.program.v1 import definition_pb2

from chassis.auth import role_name
from chassis.errors import Refused
from stack.rehearsal.people import Character, later_levels
from stack.rehearsal.stage import Stage
from stack.rehearsal.verifiers import verify

_HANDS = 4


class Region:
    """One participant's people. `play` is called once a phase."""

    def __init__(self, stage: Stage, character: Character, haste: float = 1.0) -> None:
        self._stage = stage
        self._pace = character.pace * haste
        self._character = character
        self._code = character.institution
        self._plan = coaching_pb2.Plan()
        self._evaluation_id = ""
        self._planned_in: definition_pb2.Phase | None = None
        self._session_id = ""
        self._verifying: asyncio.Task[None] | None = None
        self.left = False

    async def play(self, phase: definition_pb2.Phase, opened: datetime, deadline: datetime) -> None:
        """Waits for this region's hour and does its duties one after the other; what is refused for good is left."""
        act = opened + (deadline - opened) * self._pace
        await asyncio.sleep(max(0.0, (act - datetime.now(UTC)).total_seconds()))
        if self.left:
            return
        skipped = self._skipped(phase)
        for duty in phase.duties:
            if duty.id != skipped:
                try:
                    await self._do(phase, duty)
                except Refused:
                    # The stage counts it; a region that comes too late is part of the play.
                    return

    async def verified(self) -> None:
        """Until the assessor has looked at what it handed in last, if anything: no duty of the region, whose cohort
        may end before."""
        if self._verifying is not None:
            await self._verifying

    async def _verify(self, raised: Mapping[str, int]) -> None:
        dice = self._character.dice("verify")
        # The stage counts what is refused; then nothing is proven, and that is shown.
        with suppress(Refused):
            await verify(self._stage, self._evaluation_id, raised, self._character.levels, dice)

    def _skipped(self, phase: definition_pb2.Phase) -> str:
        """Who misses, misses one duty: the last required one of the phase in which it happens."""
        if not self._character.misses or phase.id != self._character.dice("miss").choice(["governance", "summit"]):
            return ""
        return next((duty.id for duty in reversed(phase.duties) if duty.required), "")

    async def _do(self, phase: definition_pb2.Phase, duty: definition_pb2.Duty) -> None:
        if duty.kind == definition_pb2.DUTY_KIND_ATTEND:
            await self._attend(phase, duty)
        elif duty.kind == definition_pb2.DUTY_KIND_SELF_ASSESS:
            await self._assess(duty, self._character.levels)
        elif duty.kind == definition_pb2.DUTY_KIND_PLAN_APPROVED:
            await self._agree_on_plan()
            self._planned_in = phase
        elif duty.kind == definition_pb2.DUTY_KIND_SIGN_COMMITMENT:
            await self._sign(phase)
        elif duty.kind == definition_pb2.DUTY_KIND_FOLLOW_UP:
            if self._planned_in is not None:
                await self._meet(self._planned_in)
            await self._follow_up()
        elif duty.kind == definition_pb2.DUTY_KIND_REASSESS:
            raised = {action.indicator: int(float(action.to_value)) for action in self._done()}
            levels = later_levels(self._character, raised)
            await self._assess(duty, levels)
            up = {code: level for code, level in levels.items() if level > self._character.levels[code]}
            self._verifying = asyncio.create_task(self._verify(up))

    async def _attend(self, phase: definition_pb2.Phase, duty: definition_pb2.Duty) -> None:
        for session in await self._sessions(phase):
            for role in duty.roles:
                delegate = self._character.sends_delegate and role != options_pb2.ROLE_OPERATOR
                name = f"{'Delegate of the ' if delegate else ''}{role_name(role)} of {self._code}"
                request = coaching.RecordAttendanceRequest(
                    session_id=session.id, institution=self._code, role=role, name=name, delegate=delegate
                )
                await self._stage.write(
                    "attendance", self._stage.coaching().RecordAttendance, request, self._who(role_name(role))
                )

    async def _sessions(self, phase: definition_pb2.Phase) -> list[coaching_pb2.Session]:
        """Those of the phase; they are on the calendar soon after it has opened."""
        stub, request = self._stage.coaching(), coaching.ListSessionsRequest(cohort_id=self._stage.cohort_id)

        def of_phase(answer: coaching.ListSessionsResponse) -> list[coaching_pb2.Session]:
            return [session for session in answer.sessions if session.phase == phase.id]

        def all_there(answer: coaching.ListSessionsResponse) -> bool:
            return len(of_phase(answer)) >= len(phase.sessions)

        return of_phase(await self._stage.read(stub.ListSessions, request, self._who("operator"), all_there))

    async def _assess(self, duty: definition_pb2.Duty, levels: Mapping[str, int]) -> None:
        stub = self._stage.assessment()
        opening = assessment.OpenEvaluationRequest(
            institution=self._code,
            instrument=duty.instrument,
            period=duty.period,
            cohort_id=self._stage.cohort_id,
            rehearsal=self._stage.cohort_id,
        )
        opened = await self._stage.write("opened", stub.OpenEvaluation, opening, self._who("operator"))
        evaluation_id = self._evaluation_id = opened.evaluation.id
        if self._character.blunders:
            await self._blunder(evaluation_id)
        codes = list(levels)
        await asyncio.gather(
            *(self._answer(evaluation_id, levels, codes[hand::_HANDS], hand) for hand in range(_HANDS))
        )
        await self._stage.write(
            "submitted",
            stub.SubmitEvaluation,
            assessment.SubmitEvaluationRequest(evaluation_id=evaluation_id),
            self._who("head"),
        )

    async def _answer(self, evaluation_id: str, levels: Mapping[str, int], codes: list[str], hand: int) -> None:
        """Several operators share the indicators."""
        answers = [evaluation_pb2.Answer(indicator=code, value=str(levels[code])) for code in codes]
        request = assessment.SaveAnswersRequest(evaluation_id=evaluation_id, answers=answers)
        await self._stage.write("answered", self._stage.assessment().SaveAnswers, request, self._who("operator", hand))

    async def _blunder(self, evaluation_id: str) -> None:
        """A level that is not on the scale; the service says so, and the operator starts over."""
        wrong = [evaluation_pb2.Answer(indicator="1", value="9")]
        request = assessment.SaveAnswersRequest(evaluation_id=evaluation_id, answers=wrong)
        try:
            await self._stage.write("blunders", self._stage.assessment().SaveAnswers, request, self._who("operator"))
        except Refused:
            return
        raise AssertionError("a level outside the scale was taken")

    async def _agree_on_plan(self) -> None:
        stub, cohort = self._stage.coaching(), self._stage.cohort_id
        drafting = coaching.DraftPlanRequest(
            cohort_id=cohort, institution=self._code, rehearsal=cohort, evaluation_id=self._evaluation_id
        )
        drafted = await self._stage.write("drafted", stub.DraftPlan, drafting, self._who("operator"))
        plan_id = drafted.plan.id
        rounds = [False, True] if self._character.plan_returned else [True]
        for approved in rounds:
            submitted = await self._stage.write(
                "handed in", stub.SubmitPlan, coaching.SubmitPlanRequest(plan_id=plan_id), self._who("head")
            )
            review = coaching.ReviewPlanRequest(plan_id=plan_id, approved=approved)
            for action in [] if approved else submitted.plan.actions:
                review.remarks.add(action_id=action.id, text="Sebutkan perangkat daerah yang bertanggung jawab.")
            coach = self._stage.as_role("coach", subject=submitted.plan.coach_id)
            reviewed = await self._stage.write("reviewed", stub.ReviewPlan, review, coach)
            if not approved:
                await self._put_right(reviewed.plan)
        self._plan = reviewed.plan

    async def _meet(self, phase: definition_pb2.Phase) -> None:
        """Before the work begins, coach and region write down what the last session of that phase came to: a step."""
        if not phase.sessions:
            return
        session = (await self._sessions(phase))[-1]
        about: dict[str, Any] = {"session_id": session.id, "institution": self._code}
        coach, stub = self._stage.as_role("coach", subject=self._plan.coach_id), self._stage.minutes()
        first = self._plan.actions[0] if self._plan.actions else coaching_pb2.Action()
        step = minutes_pb2.NextStep(text="Bentuk tim pelaksana", action_id=first.id, owner=first.owner)
        agenda = minutes.SetAgendaRequest(from_plan=True, **about)
        await self._stage.write("agendas", stub.SetAgenda, agenda, coach)
        noting = minutes.WriteMinutesRequest(notes="Rencana aksi dibahas bersama", next_steps=[step], **about)
        await self._stage.write("minutes", stub.WriteMinutes, noting, coach)
        for who in (coach, self._who("head")):
            rating = self._character.dice("feedback").randint(3, 5)
            said = minutes.GiveFeedbackRequest(rating=rating, **about)
            await self._stage.write("feedback", stub.GiveFeedback, said, who)
        self._session_id = session.id

    async def _put_right(self, returned: coaching_pb2.Plan) -> None:
        """Two operators share the items that the coach asked about, at once; then what was asked is resolved."""
        stub, request = self._stage.plans(), plans.ListPlanCommentsRequest(plan_id=returned.id, open_only=True)
        asked = (await self._stage.read(stub.ListPlanComments, request, self._who("operator"))).comments
        actions = list(returned.actions)
        await asyncio.gather(*(self._edit(returned.id, actions[hand::2], hand) for hand in range(2)))
        for comment in asked:
            answer = plans.ResolveCommentRequest(comment_id=comment.id, answer="Sudah diisi")
            await self._stage.write("resolved", stub.ResolveComment, answer, self._who("operator"))

    async def _edit(self, plan_id: str, actions: list[coaching_pb2.Action], hand: int) -> None:
        request = plans.EditPlanRequest(plan_id=plan_id)
        for action in actions:
            change = request.changes.add(
                kind=action_pb2.CHANGE_KIND_EDIT, action_id=action.id, etag=action.etag, set=["owner", "person"]
            )
            change.fields.owner, change.fields.person = "Dinas Komunikasi dan Informatika", f"Kepala Bidang {hand + 1}"
        if actions:
            await self._stage.write("edited", self._stage.plans().EditPlan, request, self._who("operator", hand))

    async def _sign(self, phase: definition_pb2.Phase) -> None:
        cohort = self._stage.cohort_id
        request = coaching.SignAgreementRequest(
            cohort_id=cohort,
            phase=phase.id,
            institution=self._code,
            signatory=f"Regent of {self._code}",
            rehearsal=cohort,
        )
        await self._stage.write("signed", self._stage.coaching().SignAgreement, request, self._who("regent"))

    async def _follow_up(self) -> None:
        actions = list(self._plan.actions)
        for action in actions[: max(1, round(self._character.diligence * len(actions)))]:
            request = coaching.CompleteActionRequest(plan_id=self._plan.id, action_id=action.id)
            request.evidence.add(link=f"https://jdih.{self._code}.example/{action.id}", note="Dokumentasi pelaksanaan")
            done = await self._stage.write(
                "actions", self._stage.coaching().CompleteAction, request, self._who("operator")
            )
            self._plan = done.plan
        if self._session_id:
            step = minutes.CompleteNextStepRequest(
                session_id=self._session_id, institution=self._code, step_id="1", outcome="Tim dibentuk"
            )
            await self._stage.write("steps", self._stage.minutes().CompleteNextStep, step, self._who("operator"))

    def _done(self) -> list[coaching_pb2.Action]:
        return [action for action in self._plan.actions if action.state == coaching_pb2.ACTION_STATE_DONE]

    def _who(self, role: str, hand: int = 0) -> tuple[tuple[str, str], ...]:
        subject = f"{role}-{hand + 1}@{self._code}" if hand else ""
        return self._stage.as_role(role, self._code, subject)


def leaving_hour(opened: datetime, deadline: datetime) -> datetime:
    """When a region that withdraws says so: early in the phase, before it has done anything."""
    return opened + max(timedelta(), (deadline - opened) * 0.05)
