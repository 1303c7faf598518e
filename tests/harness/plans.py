"""A plan to work with: the instrument, the evaluation and the cohort that coaching has heard of, a coach, the plan."""

from typing import Any

from livinglab.assessment.v1 import evaluation_pb2
from livinglab.assessment.v1 import events_pb2 as assessment_pb
from livinglab.coaching.v1 import coaching_pb2
from livinglab.coaching.v1 import service_pb2 as pb
from livinglab.program.v1 import events_pb2 as program_pb

from instruments import instrument_files
from instruments.file import load
from tests.harness.coaching import COHORT, SUMEDANG, assignment, called_by, coach, count, request_id
from tests.harness.service import Running
from tests.harness.waiting import eventually

SPBE = "spbe-59-2020"
PLAN = f"plan:{COHORT}:{SUMEDANG}"
INDICATORS = range(1, 48)


def submitted(
    values: dict[str, str], period: str = "2022", index: str = "2.00", institution: str = SUMEDANG, rehearsal: str = ""
) -> assessment_pb.EvaluationSubmitted:
    """A self-assessment with these values."""
    return assessment_pb.EvaluationSubmitted(
        institution=institution,
        evaluation_id=":".join(filter(None, [institution, SPBE, period, rehearsal])),
        instrument=SPBE,
        instrument_version=1,
        period=period,
        stage=evaluation_pb2.STAGE_SELF_ASSESSMENT,
        score=evaluation_pb2.Score(index=index, predicate="Cukup"),
        values=values,
    )


async def evaluated(coaching: Running, level: int = 2, *, version: int = 1, rehearsal: str = "", **more: str) -> None:
    """Such a self-assessment with one level for all of it is on its way."""
    values = dict.fromkeys(map(str, INDICATORS), str(level))
    event = submitted(values, index=f"{level}.00", rehearsal=rehearsal, **more)
    meta = {"aggregate_id": event.evaluation_id, "cohort_id": rehearsal, "rehearsal": rehearsal}
    await coaching.hear(event, version=version, **meta)


async def instrument_known(coaching: Running) -> None:
    """The instrument has arrived."""
    instrument = load(instrument_files()[SPBE].read_bytes())
    event = assessment_pb.InstrumentPublished(instrument_id=SPBE, instrument=instrument)
    await coaching.hear(event, aggregate_id=f"instrument:{SPBE}")
    await eventually(lambda: coaching.db["instruments"].find_one({}))


async def known(coaching: Running, evaluations: int = 1) -> None:
    """The instrument has arrived, and as many evaluations."""
    await instrument_known(coaching)

    async def arrived() -> bool:
        return await count(coaching, "evaluations") == evaluations

    await eventually(arrived)


async def coached(coaching: Running) -> None:
    """Sumedang has a coach."""
    await coach(coaching)
    await called_by(coaching, "system").AssignCoach(assignment())


async def in_a_cohort(coaching: Running) -> None:
    """The cohort has begun, a program of three months; coaching knows its days."""
    launched = program_pb.CohortLaunched(
        cohort_id=COHORT, start_date="2022-11-01", end_date="2023-01-31", time_zone="Asia/Jakarta"
    )
    await coaching.hear(launched, aggregate_id=f"cohort:{COHORT}")

    async def arrived() -> bool:
        return await count(coaching, "windows") == 1

    await eventually(arrived)


def drafting(**more: str) -> pb.DraftPlanRequest:
    """Asks for Sumedang's plan."""
    wanted: dict[str, Any] = {"cohort_id": COHORT, "institution": SUMEDANG, **more}
    return pb.DraftPlanRequest(request_id=request_id(), **wanted)


async def drafted(coaching: Running, **more: str) -> coaching_pb2.Plan:
    """The plan, once there is all that it is drafted from."""
    return (await called_by(coaching, "operator", SUMEDANG).DraftPlan(drafting(**more))).plan


async def handed_in(coaching: Running, etag: str = "") -> coaching_pb2.Plan:
    """The plan, waiting for its coach."""
    request = pb.SubmitPlanRequest(request_id=request_id(), plan_id=PLAN, etag=etag)
    return (await called_by(coaching, "head", SUMEDANG).SubmitPlan(request)).plan


def review(*, approved: bool, reason: str = "") -> pb.ReviewPlanRequest:
    """What its coach says to it."""
    return pb.ReviewPlanRequest(request_id=request_id(), plan_id=PLAN, approved=approved, reason=reason)
