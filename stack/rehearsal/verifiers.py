"""The external assessors of a rehearsal: what was reported they find, or not, and so it is proven, or not."""

from collections.abc import Mapping
from random import Random

from livinglab.assessment.v1 import evaluation_pb2
from livinglab.assessment.v1 import verification_pb2 as verification

from stack.rehearsal.stage import Stage

# Share of the raised levels that an assessor finds shown; of the others the level before stands.
_FOUND = 0.85
_ASSESSORS = 12


async def verify(
    stage: Stage, evaluation_id: str, raised: Mapping[str, int], before: Mapping[str, int], dice: Random
) -> None:
    """One assessor looks at every indicator that was raised, and concludes the document stage."""
    who, stub = f"asesor-{dice.randrange(_ASSESSORS) + 1}", stage.verification()
    assigning = verification.AssignAssessorRequest(
        evaluation_id=evaluation_id, assessor=who, duty=evaluation_pb2.DUTY_ASSESS
    )
    await stage.write("assessors", stub.AssignAssessor, assigning, stage.as_role("manager"))
    found = {code: level if dice.random() < _FOUND else before[code] for code, level in sorted(raised.items())}
    assessor = stage.as_role("assessor", subject=who)
    if found:
        saving = verification.SaveAssessmentsRequest(
            evaluation_id=evaluation_id,
            stage=evaluation_pb2.STAGE_DOCUMENT,
            assessments=[
                verification.AssessedLevel(indicator=code, value=str(level), note=_note(level == raised[code]))
                for code, level in found.items()
            ],
        )
        await stage.write("verified", stub.SaveAssessments, saving, assessor)
    concluding = verification.ConcludeStageRequest(
        evaluation_id=evaluation_id, stage=evaluation_pb2.STAGE_DOCUMENT, force=True
    )
    await stage.write("concluded", stub.ConcludeStage, concluding, assessor)


def _note(shown: bool) -> evaluation_pb2.AssessorNote:
    return evaluation_pb2.AssessorNote(
        fact="Dokumen pelaksanaan terlampir" if shown else "Dokumen pelaksanaan belum lengkap",
        analysis="Kriteria tingkat ini terpenuhi" if shown else "Kriteria tingkat ini belum seluruhnya terpenuhi",
        justification="Tingkat yang dinyatakan berlaku" if shown else "Tingkat sebelumnya berlaku",
    )
