"""External assessors: who is assigned, what each of them finds, where they differ."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from livinglab.assessment.v1 import cycle_pb2, evaluation_pb2, events_pb2, verification_pb2

from chassis.errors import Refused, Violation, denied, invalid, invalid_field, precondition
from instruments.scoring import Scorer
from services.assessment.model import cycle, self_assessment
from services.assessment.model.cycle import Outcome

Evaluation = evaluation_pb2.Evaluation
_MOST_ASSESSORS = 50


def assign(
    evaluation: Evaluation, request: verification_pb2.AssignAssessorRequest, actor: str, now: datetime
) -> Outcome:
    """An assessor never assesses their own institution, nor what they have answered themselves."""
    cycle.require_current(evaluation, request.etag)
    cycle.require_unpublished(evaluation)
    if request.institution == evaluation.institution:
        raise _own_institution(request.assessor, evaluation)
    if request.assessor in {answer.answered_by for answer in evaluation.answers}:
        raise _own_institution(request.assessor, evaluation)
    before = _assignment(evaluation, request.assessor)
    if before is None and len(evaluation.assessors) >= _MOST_ASSESSORS:
        raise invalid_field("assessor", f"there are {_MOST_ASSESSORS} already")
    kept = [one for one in evaluation.assessors if one.assessor != request.assessor]
    assignment = evaluation_pb2.Assignment(
        assessor=request.assessor, duty=request.duty, institution=request.institution, assigned_by=actor
    )
    assignment.assign_time.FromDatetime(now)
    del evaluation.assessors[:]
    evaluation.assessors.extend([*kept, assignment])
    cycle.advance(evaluation)
    fact = events_pb2.AssessorAssigned(
        meta=cycle.meta(evaluation),
        institution=evaluation.institution,
        evaluation_id=evaluation.id,
        assessor=request.assessor,
        duty=request.duty,
    )
    items = {request.assessor: (_duty(before), _duty(assignment))}
    return Outcome((fact,), cycle.change(evaluation, "assigned", items, actor, now, request.reason))


def withdraw(
    evaluation: Evaluation, request: verification_pb2.WithdrawAssessorRequest, actor: str, now: datetime
) -> Outcome:
    """What was assessed until then stays."""
    cycle.require_current(evaluation, request.etag)
    cycle.require_unpublished(evaluation)
    before = _assignment(evaluation, request.assessor)
    if before is None:
        raise precondition("NOT_ASSIGNED", f"{request.assessor} is not assigned to {evaluation.id}")
    items = {request.assessor: (_duty(before), "")}
    kept = [one for one in evaluation.assessors if one.assessor != request.assessor]
    del evaluation.assessors[:]
    evaluation.assessors.extend(kept)
    cycle.advance(evaluation)
    fact = events_pb2.AssessorWithdrawn(
        meta=cycle.meta(evaluation),
        institution=evaluation.institution,
        evaluation_id=evaluation.id,
        assessor=request.assessor,
    )
    return Outcome((fact,), cycle.change(evaluation, "withdrew", items, actor, now, request.reason))


def require_duty(
    evaluation: Evaluation,
    subject: str,
    institution: str,
    duty: evaluation_pb2.Duty.ValueType = evaluation_pb2.DUTY_UNSPECIFIED,
) -> None:
    """The caller is assigned, with that duty where one is asked for, and not of the assessed institution."""
    if institution == evaluation.institution:
        raise denied("OWN_INSTITUTION", f"{subject} belongs to {institution} and cannot assess it")
    found = _assignment(evaluation, subject)
    if found is None or (duty and found.duty != duty):
        what = {evaluation_pb2.DUTY_ASSESS: "to assess ", evaluation_pb2.DUTY_REVIEW: "to review "}.get(duty, "to ")
        raise denied("NOT_ASSIGNED", f"{subject} is not assigned {what}{evaluation.id}")


def save_assessments(
    evaluation: Evaluation,
    dossier: cycle_pb2.Dossier,
    request: verification_pb2.SaveAssessmentsRequest,
    scorer: Scorer,
    actor: str,
    now: datetime,
) -> Outcome:
    """The assessor's own values of the stage; in the review only for what was found Tidak Valid."""
    if request.stage not in (*cycle.ASSESSED, evaluation_pb2.STAGE_REVIEW):
        raise invalid_field("stage", f"assessors give no values in the {cycle.stage_name(request.stage)} stage")
    cycle.require_stage(evaluation, request.stage, request.etag)
    self_assessment.require_levels("assessments", request.assessments, scorer, most=cycle.values_of(evaluation))
    if request.stage == evaluation_pb2.STAGE_REVIEW:
        _require_invalid(request, dossier)
    given = [(one.indicator, one.value, one.note) for one in request.assessments]
    changed = keep(dossier, request.stage, actor, given, now)
    if request.stage == evaluation_pb2.STAGE_REVIEW:
        # What was set right is to be reviewed again.
        again = [one for one in dossier.verdicts if one.indicator not in changed]
        del dossier.verdicts[:]
        dossier.verdicts.extend(again)
    self_assessment.require_size(dossier)
    cycle.advance(evaluation)
    fact = events_pb2.AssessmentsSaved(
        meta=cycle.meta(evaluation),
        institution=evaluation.institution,
        evaluation_id=evaluation.id,
        stage=request.stage,
        assessed=len({one.indicator for one in of_stage(dossier, request.stage)}),
    )
    return Outcome((fact,), cycle.change(evaluation, "assessed", changed, actor, now))


def keep(
    dossier: cycle_pb2.Dossier,
    stage: cycle.Stage,
    actor: str,
    given: Iterable[tuple[str, str, evaluation_pb2.AssessorNote]],
    now: datetime,
) -> dict[str, tuple[str, str]]:
    """Lays an assessor's values over their earlier ones; returns from what to what."""
    own = {one.indicator: one for one in of_stage(dossier, stage) if one.assessor == actor}
    changed = {}
    for indicator, value, note in given:
        found = own.get(indicator)
        changed[indicator] = (found.value if found else "", value)
        if found is None:
            found = dossier.assessments.add(stage=stage, assessor=actor, indicator=indicator)
        found.value = value
        found.note.CopyFrom(note)
        found.time.FromDatetime(now)
    return changed


def of_stage(dossier: cycle_pb2.Dossier, stage: cycle.Stage) -> list[cycle_pb2.Assessment]:
    """What was assessed in the stage, in the order in which it was first said."""
    return [one for one in dossier.assessments if one.stage == stage]


def by_indicator(dossier: cycle_pb2.Dossier, stage: cycle.Stage) -> dict[str, list[cycle_pb2.Assessment]]:
    """The values of each assessed indicator in the stage."""
    found: dict[str, list[cycle_pb2.Assessment]] = {}
    for one in of_stage(dossier, stage):
        found.setdefault(one.indicator, []).append(one)
    return found


def differ(assessments: list[cycle_pb2.Assessment]) -> bool:
    """3 and 3.0 are the same."""
    return len({Decimal(one.value) for one in assessments}) > 1


def calibration(
    evaluation: Evaluation, dossier: cycle_pb2.Dossier, stage: cycle.Stage, scorer: Scorer
) -> verification_pb2.GetCalibrationResponse:
    """Where assessors differ, the widest first, in one stage or in all."""
    response = verification_pb2.GetCalibrationResponse()
    rows = []
    concluded = {result.stage: {one.indicator: one.value for one in result.values} for result in evaluation.results}
    for one in [stage] if stage else [*cycle.ASSESSED, evaluation_pb2.STAGE_REVIEW]:
        found = by_indicator(dossier, one)
        for item in scorer.ordered(found):
            values = [Decimal(a.value) for a in found[item]]
            response.compared += len(values) > 1
            response.agreed += len(values) > 1 and not differ(found[item])
            if differ(found[item]):
                row = verification_pb2.CalibrationRow(stage=one, indicator=item, assessments=found[item])
                row.spread = f"{max(values) - min(values):f}"
                row.concluded = concluded.get(one, {}).get(item, "")
                rows.append(row)
    response.differences.extend(sorted(rows, key=lambda row: -Decimal(row.spread)))
    return response


def _require_invalid(request: verification_pb2.SaveAssessmentsRequest, dossier: cycle_pb2.Dossier) -> None:
    returned = {
        one.indicator for one in dossier.verdicts if one.verdict == cycle_pb2.VERDICT_NOT_VALID and not one.value
    }
    faults = [
        Violation(f"assessments[{i}].indicator", f"{one.indicator} was not returned as Tidak Valid")
        for i, one in enumerate(request.assessments)
        if one.indicator not in returned
    ]
    if faults:
        raise invalid(faults)


def _assignment(evaluation: Evaluation, subject: str) -> evaluation_pb2.Assignment | None:
    return next((one for one in evaluation.assessors if one.assessor == subject), None)


def _duty(assignment: evaluation_pb2.Assignment | None) -> str:
    if assignment is None:
        return ""
    return evaluation_pb2.Duty.Name(assignment.duty).removeprefix("DUTY_").lower()


def _own_institution(assessor: str, evaluation: Evaluation) -> Refused:
    return precondition(
        "OWN_INSTITUTION", f"{assessor} belongs to {evaluation.institution}: nobody assesses their own institution"
    )
