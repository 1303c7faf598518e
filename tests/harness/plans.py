"""A plan to work with: the instrument and an evaluation at level 2 that coaching has heard of."""

from livinglab.assessment.v1 import evaluation_pb2
from livinglab.assessment.v1 import events_pb2 as assessment_pb

from instruments import instrument_files
from instruments.file import load
from tests.harness.coaching import COHORT, SUMEDANG, count
from tests.harness.service import Running
from tests.harness.waiting import eventually

SPBE = "spbe-59-2020"
PLAN = f"plan:{COHORT}:{SUMEDANG}"


async def evaluated(coaching: Running) -> None:
    """Both have arrived."""
    instrument = load(instrument_files()[SPBE].read_bytes())
    event = assessment_pb.InstrumentPublished(instrument_id=SPBE, instrument=instrument)
    await coaching.hear(event, aggregate_id=f"instrument:{SPBE}")
    evaluation = submitted({str(n): "2" for n in range(1, 48)})
    await coaching.hear(evaluation, aggregate_id=evaluation.evaluation_id)

    async def arrived() -> bool:
        return (await count(coaching, "instruments"), await count(coaching, "evaluations")) == (1, 1)

    await eventually(arrived)


def submitted(values: dict[str, str], period: str = "2022", index: str = "2.00") -> assessment_pb.EvaluationSubmitted:
    """A self-assessment with these values."""
    return assessment_pb.EvaluationSubmitted(
        institution=SUMEDANG,
        evaluation_id=f"{SUMEDANG}:{SPBE}:{period}",
        instrument=SPBE,
        instrument_version=1,
        period=period,
        stage=evaluation_pb2.STAGE_SELF_ASSESSMENT,
        score=evaluation_pb2.Score(index=index, predicate="Cukup"),
        values=values,
    )
