"""Which letters the people of a participant get: the input of the activity notify_people. Pure."""

import unicodedata
from collections.abc import Sequence

from livinglab.program.v1 import workflow_pb2 as pb

from services.program.model import states
from services.program.model.reminders import Letter

# Of one value of a letter, for notify takes 4,000 characters.
LONGEST = 3_800

_FAREWELL = {states.GRADUATED: "graduation", states.WITHDRAWN: "withdrawal"}


def invitation(opening: pb.PhaseOpening, missing: Sequence[str]) -> pb.LetterStep:
    """To a phase, with what is to be done in it; once more where it was opened again."""
    occasion = states.occurrence(opening.phase.id, opening.reopened)
    return pb.LetterStep(template="invitation", occasion=occasion, missing=missing)


def reminder(due: Letter, missing: Sequence[str]) -> pb.LetterStep:
    """A reminder or an escalation."""
    opening = due.phase.opening
    return pb.LetterStep(
        template=due.template,
        occasion=f"{opening.phase.id}.{due.days}.{opening.deadline_time.seconds}",
        missing=missing,
        roles=due.roles,
        days=due.days,
    )


def notice(told: pb.Notice, missing: Sequence[str]) -> pb.LetterStep:
    """Of a change."""
    return pb.LetterStep(
        template=told.template,
        occasion=told.occasion,
        reason=told.reason,
        roles=told.roles,
        email=told.email,
        missing=missing,
        session=told.session,
        phase=told.phase if told.session else "",
    )


def farewell(record: pb.ParticipantRecord, leaving: pb.Withdrawal | None) -> pb.LetterStep | None:
    """At the end; None where none is written: to who failed, and to who goes on in another cohort."""
    template = _FAREWELL.get(record.outcome)
    if leaving and record.outcome == states.WITHDRAWN:
        if leaving.moved_to:
            return None
        template = "cancellation" if leaving.cancelled else "withdrawal"
    return pb.LetterStep(template=template, occasion="end", reason=record.reason) if template else None


def address(
    step: pb.LetterStep, cohort_id: str, institution: str, readmissions: int, opening: pb.PhaseOpening | None
) -> None:
    """To whose people it goes, in which of the participant's lives, and the phase that it is about, if any."""
    step.cohort_id = cohort_id
    step.institution = institution
    step.readmissions = readmissions
    if opening:
        step.phase = opening.phase.id
        step.deadline_time.CopyFrom(opening.deadline_time)


def one_line(text: str) -> str:
    """What a person wrote may hold line breaks, and a mail takes none in a value like this."""
    readable = "".join(c if unicodedata.category(c) not in {"Cc", "Zl", "Zp"} else " " for c in text)
    return " ".join(readable.split())[:LONGEST]
