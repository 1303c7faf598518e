"""Everything around a cohort's workflows played: its services, its read model and its people."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from livinglab.program.v1 import cohort_pb2, definition_pb2
from livinglab.program.v1 import workflow_pb2 as pb
from temporalio import activity
from temporalio.exceptions import ApplicationError

from programs.files.definition import PROGRAMS, load_definition
from services.program.activities.fan_out import in_batches
from services.program.activities.reports import Reporter
from services.program.engine.client import Engine
from services.program.model import letter_steps, open_phases
from services.program.model import states as model
from services.program.model.course import Course

ALL_DUTIES = {
    "governance": ["governance-attended"],
    "workshop": ["workshop-attended", "self-assessed", "plan-approved"],
    "summit": ["commitment-signed", "summit-attended"],
    "follow-up": ["followed-up", "reassessed"],
}


def living_lab() -> definition_pb2.Definition:
    """The definition of the real story."""
    definition, faults = load_definition(PROGRAMS / "living-lab-2022.yaml")
    assert not faults
    return definition


def codes(count: int) -> list[str]:
    """Codes of so many institutions."""
    return [f"{10 + i // 100}.{i % 100:02d}" for i in range(count)]


Script = Callable[[str, str], Iterable[str]]


def everything(_institution: str, phase: str) -> Iterable[str]:
    """Everybody does every duty of a phase as soon as they are invited."""
    return ALL_DUTIES[phase]


@dataclass
class Played:
    """Stands for the services, the read model and the people: `does` tells which duties an invited institution does
    at once. Activities have the names of the real ones."""

    engine: Engine
    course: Course
    institutions: list[str]
    does: Script = everything
    # Activity, or activity and institution, that is refused for good.
    refused: set[str] = field(default_factory=set)
    ledger: dict[str, list[str]] = field(default_factory=dict)
    letters: list[pb.LetterStep] = field(default_factory=list)
    outcomes: dict[str, pb.OutcomeStep] = field(default_factory=dict)
    phases: list[tuple[str, cohort_pb2.PhaseState.ValueType, bool]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    completed: list[pb.CompletionStep] = field(default_factory=list)
    commands: list[pb.CommandStep] = field(default_factory=list)
    sessions: list[pb.SessionStep] = field(default_factory=list)
    # Phase with a condition to the institutions for which it holds.
    addressed: dict[str, list[str]] = field(default_factory=dict)
    # Awaited before an activity of that name answers.
    hold: dict[str, asyncio.Event] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.reporter = Reporter(self.engine)
        self.crowd = PlayedCrowd(self)

    @activity.defn
    async def start_participants(self, step: pb.RosterStep) -> pb.Reached:
        await self._called("start_participants")
        again = step.readmissions
        for code in step.only:
            if again.get(code):
                self.outcomes.pop(code, None)
            elif code not in self.institutions:
                self.institutions.append(code)

        async def start(code: str) -> None:
            duties = self.ledger.get(code, ()) if step.openings else ()
            begin = self.course.participant_input(code, step.openings, duties)
            for phase in begin.state.open:
                phase.opening.prepared = step.prepare and await self.crowd.prepares(code, phase.opening, again)
            openings = [phase.opening for phase in begin.state.open if phase.opening.prepared]
            await self.engine.start_participant(begin, again.get(code, 0))
            for opening in openings:
                await self.invited(code, opening.phase.id)

        await self._each([code for code in self._named(step.only) if code not in self.outcomes], start)
        return self._reached(step.only)

    @activity.defn
    async def announce(self, announcement: pb.Announcement) -> pb.Reached:
        await self._called("announce")
        kind = announcement.WhichOneof("news") or ""

        async def tell(code: str) -> None:
            news = getattr(announcement, kind)
            if kind == "opening":
                news = pb.PhaseOpening(duties=self.ledger.get(code, ()))
                news.MergeFrom(announcement.opening)
                lives = announcement.readmissions
                news.prepared = announcement.prepare and await self.crowd.prepares(code, news, lives)
                news.reported = news.prepared and await self.crowd.reports(code, news.phase)
            elif kind == "closing" and announcement.prepare:
                news = await self.crowd.ended(code, news, announcement.readmissions)
            heard = await self.engine.signal(self.course.cohort_id, code, model.SIGNALS[kind], news)
            if kind == "opening" and news.prepared:
                await self.invited(code, news.phase.id)
            if kind == "withdrawal" and not heard:
                left = pb.OutcomeStep(institution=code, outcome=model.WITHDRAWN, reason=news.reason, actor=news.actor)
                self.outcomes.setdefault(code, left)

        await self._each([code for code in self._named(announcement.only) if code not in self.outcomes], tell)
        return self._reached(announcement.only)

    @activity.defn
    async def record_command(self, step: pb.CommandStep) -> None:
        await self._called("record_command")
        self.commands.append(step)

    @activity.defn
    async def choose_addressed(self, step: pb.PhaseStep) -> pb.Addressed:
        await self._called("choose_addressed")
        addressed = self.addressed.get(step.record.phase, [])
        return pb.Addressed(institutions=[code for code in addressed if code not in self.outcomes])

    @activity.defn
    async def open_phase(self, step: pb.PhaseStep) -> None:
        await self._noted("open_phase", step)

    @activity.defn
    async def extend_phase(self, step: pb.PhaseStep) -> None:
        await self._noted("extend_phase", step)

    @activity.defn
    async def close_phase(self, step: pb.PhaseStep) -> None:
        await self._noted("close_phase", step)

    @activity.defn
    async def schedule_session(self, step: pb.SessionStep) -> None:
        await self._called("schedule_session")
        self.sessions.append(step)

    @activity.defn
    async def open_evaluation(self, step: pb.DutyStep) -> pb.DutiesDone:
        await self._called("open_evaluation", step.institution)
        return pb.DutiesDone()

    @activity.defn
    async def assign_coach(self, step: pb.DutyStep) -> None:
        await self._called("assign_coach", step.institution)

    @activity.defn
    async def read_ledger(self, step: pb.LedgerStep) -> pb.DutiesDone:
        await self._called("read_ledger", step.institution)
        return pb.DutiesDone(duties=self.ledger.get(step.institution, []))

    @activity.defn
    async def notify_people(self, step: pb.LetterStep) -> None:
        await self._called("notify_people", step.institution)
        self.letters.append(step)
        if step.template == "invitation":
            await self.invited(step.institution, step.phase)

    async def invited(self, institution: str, phase: str) -> None:
        """What it does once it knows of a phase, whoever wrote to it."""
        await self.fact(institution, *self.does(institution, phase))

    @activity.defn
    async def record_outcome(self, step: pb.OutcomeStep) -> pb.ParticipantResult:
        await self._called("record_outcome", step.institution)
        stands = self.outcomes.setdefault(step.institution, step)
        end = pb.ParticipantEnd(institution=step.institution, outcome=stands.outcome, readmissions=step.readmissions)
        await self.reporter.report(pb.Reports(cohort_id=step.cohort_id, ended=[end]))
        return pb.ParticipantResult(outcome=stands.outcome, reason=stands.reason)

    @activity.defn
    async def report(self, news: pb.Reports) -> None:
        await self._called("report")
        await self.reporter.report(news)

    @activity.defn
    async def complete_cohort(self, step: pb.CompletionStep) -> None:
        await self._called("complete_cohort")
        self.completed.append(step)

    async def fact(self, institution: str, *duties: str) -> None:
        """Facts arrive: the ledger has them, and the workflow is told if it runs."""
        known = self.ledger.setdefault(institution, [])
        known.extend(duty for duty in duties if duty not in known)
        if duties:
            news = pb.DutiesDone(duties=known)
            await self.engine.signal(self.course.cohort_id, institution, "duties_done", news)

    def states(self) -> dict[str, int]:
        """How each participant ended."""
        return {code: step.outcome for code, step in self.outcomes.items()}

    async def _each(self, institutions: list[str], work: Callable[[str], Awaitable[None]]) -> None:
        async def each(batch: Sequence[str]) -> None:
            await asyncio.gather(*(work(code) for code in batch))

        await in_batches(sorted(institutions), each)

    def _named(self, only: Iterable[str]) -> list[str]:
        named = set(only)
        return [code for code in self.institutions if not named or code in named]

    def _reached(self, only: Iterable[str]) -> pb.Reached:
        named = self._named(only)
        return pb.Reached(ended={code: step.outcome for code, step in self.outcomes.items() if code in named})

    async def _noted(self, name: str, step: pb.PhaseStep) -> None:
        await self._called(name)
        self.phases.append((step.record.phase, step.record.state, step.record.extended))

    async def _called(self, name: str, institution: str = "") -> None:
        self.calls.append(name)
        if name in self.hold:
            await self.hold[name].wait()
        if {name, f"{name} {institution}"} & self.refused:
            raise ApplicationError(f"{name} is refused", type="FAILED_PRECONDITION", non_retryable=True)


class PlayedCrowd:
    """What is done for many at once, where nothing of it is refused or held: the others do it themselves."""

    def __init__(self, played: Played) -> None:
        self._played = played

    def _serves(self, code: str, lives: Mapping[str, int], *calls: str) -> bool:
        stopped = self._played.refused | set(self._played.hold)
        return code not in lives and not stopped & {name for call in calls for name in (call, f"{call} {code}")}

    async def prepares(self, code: str, opening: pb.PhaseOpening, lives: Mapping[str, int]) -> bool:
        """Whether everything that the participant needs to begin is done."""
        if not self._serves(code, lives, "notify_people", "open_evaluation", "assign_coach"):
            return False
        missing = [duty.id for duty in opening.phase.duties if duty.id not in self._played.ledger.get(code, ())]
        letter = letter_steps.invitation(opening, missing)
        letter_steps.address(letter, self._played.course.cohort_id, code, 0, opening)
        self._played.letters.append(letter)
        for duty in opening.phase.duties:
            if duty.kind in {definition_pb2.DUTY_KIND_SELF_ASSESS, definition_pb2.DUTY_KIND_REASSESS}:
                self._played.calls.append("open_evaluation")
            elif duty.kind == definition_pb2.DUTY_KIND_PLAN_APPROVED:
                self._played.calls.append("assign_coach")
        self._played.calls.append("notify_people")
        return True

    async def reports(self, code: str, phase: definition_pb2.Phase) -> bool:
        """Whether it has done what the phase requires before: then the program hears it."""
        played = self._played
        is_done = open_phases.is_done(phase, played.ledger.get(code, ()))
        if is_done:
            done = [pb.PhaseDone(institution=code, phase=phase.id)]
            await played.reporter.report(pb.Reports(cohort_id=played.course.cohort_id, done=done))
        return is_done

    async def ended(self, code: str, closing: pb.PhaseClosing, lives: Mapping[str, int]) -> pb.PhaseClosing:
        """The closing as it is told to this one: with its end, where it graduates."""
        played = self._played
        duties = played.ledger.get(code, ())
        graduates = closing.last and not closing.stopped and set(closing.required) <= set(duties)
        if not (graduates and self._serves(code, lives, "record_outcome", "notify_people")):
            return closing
        step = pb.OutcomeStep(institution=code, outcome=model.GRADUATED)
        played.calls.append("record_outcome")
        stands = played.outcomes.setdefault(code, step)
        if stands.outcome != model.GRADUATED:
            return closing
        done = [pb.PhaseDone(institution=code, phase=closing.phase)] if closing.required else []
        end = pb.ParticipantEnd(institution=code, outcome=stands.outcome)
        await played.reporter.report(pb.Reports(cohort_id=played.course.cohort_id, done=done, ended=[end]))
        letter = letter_steps.farewell(pb.ParticipantRecord(outcome=model.GRADUATED), None)
        assert letter
        letter_steps.address(letter, played.course.cohort_id, code, 0, None)
        played.letters.append(letter)
        told = pb.PhaseClosing(ended=pb.ParticipantResult(outcome=stands.outcome), farewell=True)
        told.MergeFrom(closing)
        return told
