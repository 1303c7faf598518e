"""What the rules of assessment hold at most, each at its value and one beyond; and no limit that nobody tries."""

import ast
from datetime import UTC, datetime
from pathlib import Path

import pytest
from livinglab.assessment.v1 import cycle_pb2, evaluation_pb2, evidence_pb2, service_pb2, verification_pb2

from chassis.errors import Kind, Refused
from instruments import instrument_files
from instruments.file import load
from services.assessment.model import assessors, evidence, self_assessment

NOW = datetime(2022, 6, 1, tzinfo=UTC)
ROOT = Path(__file__).resolve().parents[3]


def test_items_of_an_evaluation() -> None:
    self_assessment.require_count(self_assessment.MOST_ITEMS)
    with pytest.raises(Refused) as refused:
        self_assessment.require_count(self_assessment.MOST_ITEMS + 1)
    assert (refused.value.kind, refused.value.reason) == (Kind.RESOURCE_EXHAUSTED, "TOO_MANY_ITEMS")


@pytest.mark.parametrize("most", [self_assessment.LARGEST, self_assessment.LARGEST_AT_THE_END])
def test_text_of_an_evaluation(most: int) -> None:
    papers = evaluation_pb2.Evaluation(id="x" * (most - 20))
    papers.id += "x" * (most - papers.ByteSize())
    self_assessment.require_size(papers, most=most)
    papers.id += "x"
    with pytest.raises(Refused) as refused:
        self_assessment.require_size(papers, most=most)
    assert (refused.value.kind, refused.value.reason) == (Kind.RESOURCE_EXHAUSTED, "TOO_MUCH_TEXT")
    with pytest.raises(Refused):
        self_assessment.require_size(cycle_pb2.Dossier(), self_assessment.MOST_ITEMS + 1)


def test_pieces_of_evidence_of_an_indicator() -> None:
    case = evidence.Case(
        evaluation_pb2.Evaluation(id="e", institution="32.11", period="2022"),
        load(instrument_files()["spbe-59-2020"].read_bytes()),
        "ani",
        NOW,
    )
    shown = evidence_pb2.IndicatorEvidence(evaluation_id="e", indicator="1")
    for n in range(evidence.MOST_PIECES):
        evidence.attach(case, shown, evidence_pb2.Piece(evidence_id=f"file-{n}", level=1))
    before = shown.SerializeToString(deterministic=True)
    with pytest.raises(Refused, match="has 100 pieces"):
        evidence.attach(case, shown, evidence_pb2.Piece(evidence_id="one-more", level=1))
    assert shown.SerializeToString(deterministic=True) == before
    # One that is there may be laid in again.
    evidence.attach(case, shown, evidence_pb2.Piece(evidence_id="file-0", level=1))


def test_assessors_of_an_evaluation() -> None:
    opening = service_pb2.OpenEvaluationRequest(institution="32.11", instrument="three", period="2022")
    evaluation = self_assessment.opened(opening, 1, [], "operator", NOW)[0]

    def assign(subject: str) -> None:
        request = verification_pb2.AssignAssessorRequest(assessor=subject, duty=evaluation_pb2.DUTY_ASSESS)
        assessors.assign(evaluation, request, "manager", NOW)

    for n in range(assessors._MOST_ASSESSORS):
        assign(f"assessor-{n}")
    with pytest.raises(Refused) as refused:
        assign("one-more")
    assert refused.value.violations[0].description == f"there are {assessors._MOST_ASSESSORS} already"
    assert len(evaluation.assessors) == assessors._MOST_ASSESSORS


def _reasons() -> set[str]:
    """Of every refusal for something that is too much."""
    found = set()
    for source in [*(ROOT / "services").rglob("*.py"), *(ROOT / "chassis").rglob("*.py")]:
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Refused" and len(node.args) > 1:
                kind, reason = node.args[:2]
                if ast.unparse(kind) == "Kind.RESOURCE_EXHAUSTED" and isinstance(reason, ast.Constant):
                    found.add(str(reason.value))
    return found


def test_every_refusal_for_too_much_is_tried_by_some_test() -> None:
    tried = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    reasons = _reasons()
    assert len(reasons) > 8
    assert {reason for reason in reasons if f'"{reason}"' not in tried} == set()
