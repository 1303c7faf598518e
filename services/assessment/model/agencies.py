"""What an agency (OPD) sees and does of its institution's evaluation: the indicators in its care, and nothing else."""

from collections.abc import Iterable, Mapping

from livinglab.assessment.v1 import evaluation_pb2 as pb
from livinglab.assessment.v1 import evidence_pb2

from chassis.errors import Refused, denied
from instruments.tree import indicator_of


def in_care(evaluation: pb.Evaluation, agency: str) -> frozenset[str]:
    """The indicators that were given to it."""
    return frozenset(one.indicator for one in evaluation.delegations if one.agency == agency)


def is_given(item: str, care: frozenset[str]) -> bool:
    """Whether an indicator, or an instance of one (35-2), is among those in care."""
    return item in care or indicator_of(item, care) in care


def require_given(evaluation: pb.Evaluation, agency: str, items: Iterable[str]) -> None:
    """PERMISSION_DENIED (NOT_GIVEN) naming every item that is not in its care; where none is named, if nothing is."""
    care = in_care(evaluation, agency)
    strangers = [item for item in items if not is_given(item, care)]
    if strangers:
        raise not_given(agency, f"{', '.join(strangers)} of evaluation {evaluation.id}")
    if not care:
        raise not_given(agency, f"evaluation {evaluation.id}")


def named_in_care(
    evaluation: pb.Evaluation, shown: Mapping[str, evidence_pb2.IndicatorEvidence], agency: str
) -> frozenset[str]:
    """What of others an agency knows of: evidence `shown` for, or named in an answer on, what is in its care."""
    care = in_care(evaluation, agency)
    answers = [one for one in evaluation.answers if is_given(one.indicator, care)]
    named = {one for answer in answers for met in answer.met for one in met.evidence}
    return frozenset(named | {p.evidence_id for code, of in shown.items() if is_given(code, care) for p in of.pieces})


def part_of(evaluation: pb.Evaluation, agency: str) -> pb.Evaluation:
    """What an agency is shown: which evaluation it is, how far, and its own answers and dates. No score, no result and
    no name of an assessor."""
    care = in_care(evaluation, agency)
    return pb.Evaluation(
        id=evaluation.id,
        institution=evaluation.institution,
        instrument=evaluation.instrument,
        instrument_version=evaluation.instrument_version,
        period=evaluation.period,
        stage=evaluation.stage,
        state=evaluation.state,
        answers=[one for one in evaluation.answers if is_given(one.indicator, care)],
        delegations=[one for one in evaluation.delegations if one.agency == agency],
        missing=[item for item in evaluation.missing if is_given(item, care)],
        cohort_id=evaluation.cohort_id,
        rehearsal=evaluation.rehearsal,
        etag=evaluation.etag,
        create_time=evaluation.create_time if evaluation.HasField("create_time") else None,
        submit_time=evaluation.submit_time if evaluation.HasField("submit_time") else None,
    )


def not_given(agency: str, what: str) -> Refused:
    """An agency reaches for what its institution has not given to it."""
    return denied("NOT_GIVEN", f"{what} is not in the care of {agency}")
