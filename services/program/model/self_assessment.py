"""What the ledger records of a self-assessment. Pure."""

from livinglab.assessment.v1 import evaluation_pb2

from services.program.model.ledger import Result

_HANDED_IN = (evaluation_pb2.EVALUATION_STATE_SUBMITTED, evaluation_pb2.EVALUATION_STATE_PUBLISHED)


def read(evaluation: evaluation_pb2.Evaluation) -> tuple[bool, Result | None]:
    """Whether it was handed in, whatever stage came after it, and what it came to. What a fact says is newer."""
    for concluded in evaluation.results:
        if concluded.stage == evaluation_pb2.STAGE_SELF_ASSESSMENT:
            return True, Result(concluded.score.index, concluded.score.predicate, 0)
    return evaluation.state in _HANDED_IN, None
