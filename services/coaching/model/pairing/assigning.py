"""The rules of giving a cohort its coaches: what a request must say, and the facts of what was decided."""

from collections import Counter
from collections.abc import Collection, Container, Mapping, Sequence

from livinglab.coaching.v1 import assignment_pb2 as pb
from livinglab.coaching.v1 import coach_events_pb2, coaching_pb2, events_pb2
from livinglab.coaching.v1 import service_pb2 as rpc
from livinglab.common.v1.meta_pb2 import Meta

from chassis.errors import Violation, precondition
from services.coaching.model import plan as plans
from services.coaching.model.pairing.matching import excluded


def coach_faults(request: rpc.RegisterCoachRequest, institutions: Container[str]) -> list[Violation]:
    """What the field rules cannot see of a coach."""
    found = [
        Violation(f"conflicts[{n}]", f"{code} is not a known institution, or not known here yet")
        for n, code in enumerate(request.conflicts)
        if code not in institutions
    ]
    named = Counter((one.instrument, one.aspect) for one in request.expertise)
    found += [
        Violation(f"expertise[{n}].aspect", f"{one.aspect} of {one.instrument} is named twice")
        for n, one in enumerate(request.expertise)
        if named[(one.instrument, one.aspect)] > 1
    ]
    return found


def faults(
    institutions: Sequence[str],
    choices: Sequence[pb.Choice],
    known: Container[str],
    coaches: Mapping[str, coaching_pb2.Coach],
    gone: Collection[str],
) -> list[Violation]:
    """Everything that is wrong with whom a manager asks for."""
    found = []
    times = Counter(institutions)
    for n, code in enumerate(institutions):
        if code not in known:
            found.append(Violation(f"institutions[{n}]", f"{code} is not a known institution, or not known here yet"))
        if times[code] > 1:
            found.append(Violation(f"institutions[{n}]", f"{code} is named {times[code]} times"))
    asked, of_coach = Counter(one.institution for one in choices), Counter(one.coach_id for one in choices)
    for n, one in enumerate(choices):
        if one.institution not in times:
            found.append(Violation(f"choices[{n}].institution", f"{one.institution} is not among the institutions"))
        if asked[one.institution] > 1:
            found.append(Violation(f"choices[{n}].institution", f"{one.institution} is chosen for twice"))
        coach = coaches.get(one.coach_id)
        place = f"choices[{n}].coach_id"
        if coach is None:
            found.append(Violation(place, f"{one.coach_id} is not a registered coach"))
        elif one.coach_id in gone:
            found.append(Violation(place, f"{one.coach_id} has left the cohort"))
        elif excluded(coach, one.institution):
            found.append(Violation(place, f"{one.coach_id} has a conflict with {one.institution}"))
        elif of_coach[one.coach_id] > coach.capacity:
            found.append(
                Violation(place, f"{one.coach_id} is chosen {of_coach[one.coach_id]} times, for {coach.capacity}")
            )
    return found


def require_placed(pairs: Sequence[pb.Pair], cohort_id: str) -> None:
    """Nobody stays without a coach."""
    alone = [Violation(pair.institution, pair.reason) for pair in pairs if not pair.coach_id]
    if alone:
        raise precondition("NO_CAPACITY", f"{len(alone)} institutions of {cohort_id} would have no coach", alone)


def assigned(cohort_id: str, rehearsal: str, pair: pb.Pair, version: int) -> events_pb2.CoachAssigned:
    """The fact of a coach, the first or another."""
    meta = Meta(
        aggregate_id=f"assignment:{cohort_id}/{pair.institution}",
        version=version,
        cohort_id=cohort_id,
        rehearsal=rehearsal,
    )
    return events_pb2.CoachAssigned(meta=meta, institution=pair.institution, coach_id=pair.coach_id)


def left(cohort_id: str, rehearsal: str, coach_id: str, reason: str, moved: int) -> coach_events_pb2.CoachLeft:
    """The fact of a coach who drops out; once a cohort and coach."""
    meta = Meta(aggregate_id=f"coach:{cohort_id}/{coach_id}", version=1, cohort_id=cohort_id, rehearsal=rehearsal)
    return coach_events_pb2.CoachLeft(meta=meta, coach_id=coach_id, reason=reason, moved=moved)


def handed_over(plan: coaching_pb2.Plan, coach_id: str) -> coach_events_pb2.PlanHandedOver:
    """The plan goes along with its institution; whoever reviews it from now on is told by the fact."""
    plan.coach_id = coach_id
    plans.advance(plan, plan.state)
    return coach_events_pb2.PlanHandedOver(
        meta=plans.meta(plan), institution=plan.institution, plan_id=plan.id, coach_id=coach_id
    )
