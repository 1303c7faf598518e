"""The course of an evaluation as a state machine: whatever people try in whatever order, its promises hold."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from livinglab.assessment.v1 import cycle_pb2, evaluation_pb2, events_pb2, instrument_pb2, service_pb2
from livinglab.assessment.v1 import verification_pb2 as pb

from chassis.errors import Refused
from instruments.scoring import Scorer
from services.assessment.model import assessors, cycle, objections, publication, review, self_assessment

NOW = datetime(2022, 11, 21, tzinfo=UTC)
CODES = ["1", "2", "3"]
SELF, VISIT = evaluation_pb2.STAGE_SELF_ASSESSMENT, evaluation_pb2.STAGE_VISIT
INSTRUMENT = instrument_pb2.Instrument(
    id="three",
    version=1,
    title="Three",
    source="invented",
    scale=instrument_pb2.Scale(kind=instrument_pb2.SCALE_KIND_ORDINAL, min="1", max="5"),
    aggregation=instrument_pb2.AGGREGATION_MEAN,
    nodes=[instrument_pb2.Node(kind="indicator", number=code, name=code) for code in CODES],
)
SCORER = Scorer(INSTRUMENT)
# What tells of a concluded stage.
TOLD = (events_pb2.EvaluationSubmitted, events_pb2.StageConcluded, events_pb2.EvaluationPublished)
CYCLES = [
    list(cycle.ORDER),
    [1, 2, 5, 6, 7],
    [1, 6, 7],
    [1, 2, 3, 4, 5],
    [1],
]
levels = st.sampled_from(["1", "2", "3", "4", "5"])
values = st.dictionaries(st.sampled_from(CODES), levels, min_size=1)
stages = st.sampled_from(cycle.ORDER)


def opened(stages_: list[int]) -> evaluation_pb2.Evaluation:
    request = service_pb2.OpenEvaluationRequest(institution="32.11", instrument="three", period="2022")
    chosen = [evaluation_pb2.CycleStage(stage=evaluation_pb2.Stage.ValueType(stage)) for stage in stages_]
    return self_assessment.opened(request, 1, chosen, "operator", NOW)[0]


class Course(RuleBasedStateMachine):
    """People try anything; what a rule refuses must leave nothing behind that counts."""

    @initialize(chosen=st.sampled_from(CYCLES))
    def open(self, chosen: list[int]) -> None:
        self.evaluation = opened(chosen)
        self.dossier = cycle_pb2.Dossier()
        self.facts: list[Any] = []
        self.expected: dict[str, str] = {}
        self.frozen = ""

    def attempt(self, decide: Any, *arguments: Any) -> bool:
        """As the service does it: what is refused is not stored."""
        evaluation, dossier = evaluation_pb2.Evaluation(), cycle_pb2.Dossier()
        evaluation.CopyFrom(self.evaluation)
        dossier.CopyFrom(self.dossier)
        with suppress(Refused):
            outcome = decide(evaluation, dossier, *arguments)
            assert int(evaluation.etag) == int(self.evaluation.etag) + 1
            assert outcome.change.version == int(evaluation.etag)
            assert all(fact.meta.version == int(evaluation.etag) for fact in outcome.facts)
            self.facts += [fact for fact in outcome.facts if isinstance(fact, TOLD)]
            self.evaluation, self.dossier = evaluation, dossier
            return True
        return False

    @rule(given=values)
    def answer(self, given: dict[str, str]) -> None:
        answers = [evaluation_pb2.Answer(indicator=code, value=value) for code, value in given.items()]
        request = service_pb2.SaveAnswersRequest(answers=answers)
        if self.attempt(lambda e, d: self_assessment.save_answers(e, request, SCORER, "operator", NOW)):
            self.expected |= given

    @rule()
    def submit(self) -> None:
        self.attempt(lambda e, d: self_assessment.submit(e, "", SCORER, "head", NOW))

    @rule(subject=st.sampled_from(["ani", "budi"]), duty=st.sampled_from([1, 2]))
    def assign(self, subject: str, duty: int) -> None:
        request = pb.AssignAssessorRequest(assessor=subject, duty=evaluation_pb2.Duty.ValueType(duty))
        self.attempt(lambda e, d: assessors.assign(e, request, "manager", NOW))

    @rule(subject=st.sampled_from(["ani", "budi"]), stage=stages, given=values)
    def assess(self, subject: str, stage: cycle.Stage, given: dict[str, str]) -> None:
        found = [pb.AssessedLevel(indicator=code, value=value) for code, value in given.items()]
        request = pb.SaveAssessmentsRequest(stage=stage, assessments=found)
        self.attempt(lambda e, d: assessors.save_assessments(e, d, request, SCORER, subject, NOW))

    @rule(given=values)
    def object_to(self, given: dict[str, str]) -> None:
        wanted = [cycle_pb2.Objection(indicator=code, wanted_value=value, reason="x") for code, value in given.items()]
        request = pb.RaiseObjectionsRequest(objections=wanted)
        self.attempt(lambda e, d: objections.raise_objections(e, d, request, SCORER, "head", NOW))

    @rule(codes=st.sets(st.sampled_from(CODES), min_size=1), outcome=st.sampled_from([1, 2]))
    def reply(self, codes: set[str], outcome: int) -> None:
        said = cycle_pb2.ObjectionOutcome.ValueType(outcome)
        answers = [cycle_pb2.ObjectionAnswer(indicator=code, outcome=said, explanation="x") for code in codes]
        request = pb.AnswerObjectionsRequest(answers=answers)
        self.attempt(lambda e, d: objections.answer_objections(e, d, request, SCORER, "ani", NOW))

    @rule(codes=st.sets(st.sampled_from(CODES), min_size=1), value=st.sampled_from(["", "", "2"]))
    def find(self, codes: set[str], value: str) -> None:
        verdict = cycle_pb2.VERDICT_NOT_VALID if value else cycle_pb2.VERDICT_VALID
        found = [cycle_pb2.ReviewVerdict(indicator=c, verdict=verdict, note="x", value=value) for c in codes]
        request = pb.SaveVerdictsRequest(verdicts=found)
        self.attempt(lambda e, d: review.save_verdicts(e, d, request, SCORER, "citra", NOW))

    @rule(stage=stages, visit=st.booleans(), decided=values)
    def conclude(self, stage: cycle.Stage, visit: bool, decided: dict[str, str]) -> None:
        request = pb.ConcludeStageRequest(stage=stage)
        if visit:
            request.visit.reason = "to see it"
        differing = [
            code
            for code, found in assessors.by_indicator(self.dossier, stage).items()
            if assessors.differ(found) and code in decided
        ]
        request.decisions.extend(
            pb.Decision(indicator=code, value=decided[code], justification="x") for code in differing
        )
        if self.attempt(lambda e, d: review.conclude(e, d, request, SCORER, "manager", NOW)):
            self.expected |= {one.indicator: one.value for one in self.evaluation.results[-1].values}

    @rule()
    def go_on(self) -> None:
        """What is due, done properly: random attempts alone hardly ever end a long course."""
        stage = cycle.next_stage(self.evaluation) or self.evaluation.stage
        if stage == SELF:
            self.answer({code: self.expected.get(code, "3") for code in CODES})
            self.submit()
        elif stage in cycle.ASSESSED:
            self.assign("ani", evaluation_pb2.DUTY_ASSESS)
            if waiting := set(objections.unanswered(self.dossier)):
                self.reply(waiting, cycle_pb2.OBJECTION_OUTCOME_ACCEPTED)
            self.conclude(stage, visit=stage == evaluation_pb2.STAGE_INTERVIEW, decided=dict.fromkeys(CODES, "2"))
        elif stage == evaluation_pb2.STAGE_REVIEW:
            self.find(set(CODES), "")
            self.conclude(stage, visit=False, decided={})
        else:
            self.determine()
            self.publish()

    @rule()
    def determine(self) -> None:
        request = pb.DetermineEvaluationRequest()
        self.attempt(lambda e, d: publication.determine(e, request, SCORER, "manager", NOW))

    @rule()
    def publish(self) -> None:
        if self.attempt(lambda e, d: publication.publish(e, pb.PublishEvaluationRequest(), SCORER, "manager", NOW)):
            self.frozen = self.evaluation.SerializeToString(deterministic=True).hex()

    @precondition(lambda self: self.frozen)
    @rule(given=values)
    def correct(self, given: dict[str, str]) -> None:
        wanted = [cycle_pb2.Level(indicator=code, value=value) for code, value in given.items()]
        request = pb.CorrectEvaluationRequest(reason="typing error", values=wanted)
        revision = self.evaluation.revision
        changes = any(self.expected[code] != value for code, value in given.items())
        assert self.attempt(lambda e, d: publication.correct(e, request, SCORER, "manager", NOW)) == changes
        if changes:
            assert self.evaluation.revision == revision + 1
            self.expected |= given
            self.frozen = self.evaluation.SerializeToString(deterministic=True).hex()

    @invariant()
    def no_path_skips_a_stage(self) -> None:
        if not hasattr(self, "evaluation"):
            return
        concluded = list(dict.fromkeys(result.stage for result in self.evaluation.results))
        due = [stage for stage in cycle.stages_of(self.evaluation) if stage <= self.evaluation.stage]
        assert concluded == (due if self.evaluation.state != evaluation_pb2.EVALUATION_STATE_OPEN else due[:-1])
        assert (VISIT in concluded) <= self.evaluation.HasField("visit")
        assert list(dict.fromkeys(fact.stage for fact in self.facts)) == concluded

    @invariant()
    def a_stage_inherits_what_it_does_not_set(self) -> None:
        if not hasattr(self, "evaluation"):
            return
        assert cycle.values_of(self.evaluation) == self.expected
        if self.evaluation.results:
            last = list(cycle.values_by_stage(self.evaluation).values())[-1]
            assert last == self.expected == dict(self.facts[-1].values)

    @invariant()
    def what_is_published_does_not_change(self) -> None:
        if hasattr(self, "frozen") and self.frozen:
            assert self.evaluation.SerializeToString(deterministic=True).hex() == self.frozen


TestCourse = Course.TestCase
TestCourse.settings = settings(max_examples=80, stateful_step_count=50, deadline=None, database=None)


def walk(evaluation: evaluation_pb2.Evaluation) -> list[cycle.Stage]:
    """Concludes whatever is due until nothing is."""
    seen = []
    self_assessment.save_answers(
        evaluation,
        service_pb2.SaveAnswersRequest(answers=[evaluation_pb2.Answer(indicator=c, value="3") for c in CODES]),
        SCORER,
        "operator",
        NOW,
    )
    self_assessment.submit(evaluation, "", SCORER, "head", NOW)
    while stage := cycle.next_stage(evaluation):
        cycle.require_stage(evaluation, stage, "")
        cycle.conclude(evaluation, (), SCORER, "manager", NOW)
        seen.append(stage)
    return seen


@pytest.mark.parametrize("chosen", CYCLES)
def test_every_cycle_runs_through_its_stages_and_skips_a_visit_that_nobody_asked_for(chosen: list[int]) -> None:
    assert walk(opened(chosen)) == [stage for stage in chosen if stage not in (SELF, VISIT)]


def test_a_visit_takes_place_where_it_was_asked_for() -> None:
    evaluation = opened(list(cycle.ORDER))
    evaluation.visit.reason = "the data centre is to be seen"
    assert walk(evaluation) == list(cycle.ORDER[1:])


def test_a_refusal_names_every_stage_in_between() -> None:
    evaluation = opened([1, 2, 5, 6, 7])
    with pytest.raises(Refused) as refused:
        cycle.require_stage(evaluation, evaluation_pb2.STAGE_DETERMINATION, "")
    assert [v.field for v in refused.value.violations] == [
        "stages[self-assessment]",
        "stages[document]",
        "stages[review]",
    ]


@pytest.mark.parametrize(
    ("chosen", "fields"),
    [
        ([1, 2, 3, 4, 5, 6, 7], []),
        ([2], ["cycle.stages[0].stage"]),
        ([1, 5, 2], ["cycle.stages[2].stage"]),
        ([1, 1], ["cycle.stages[1].stage"]),
        ([1, 3], ["cycle.stages"]),
        ([1, 7], ["cycle.stages"]),
    ],
)
def test_only_stages_in_their_order_make_a_course(chosen: list[int], fields: list[str]) -> None:
    stages_ = [evaluation_pb2.CycleStage(stage=evaluation_pb2.Stage.ValueType(stage)) for stage in chosen]
    assert [fault.field for fault in cycle.faults(stages_)] == fields


def test_due_dates_are_days_of_the_capital() -> None:
    evaluation = opened([1])
    evaluation.cycle[0].due_date = "2022-11-21"
    # 23:30 and 00:30 in Jakarta.
    assert not cycle.is_late(evaluation, SELF, datetime(2022, 11, 21, 16, 30, tzinfo=UTC))
    assert cycle.is_late(evaluation, SELF, datetime(2022, 11, 21, 17, 30, tzinfo=UTC))
