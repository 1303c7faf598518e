"""`livinglab coach assign-all`: for whom it asks where no institution is named."""

from livinglab.program.v1 import cohort_pb2 as pb

from cli.plan.assignments import still_in


def test_who_has_left_a_cohort_is_given_no_coach() -> None:
    states = {name: getattr(pb, f"PARTICIPANT_STATE_{name}") for name in ("WITHDRAWN", "ACTIVE", "FAILED", "GRADUATED")}
    everybody = [pb.ParticipantProgress(institution=name, state=state) for name, state in states.items()]
    assert still_in(everybody) == ["ACTIVE"]
