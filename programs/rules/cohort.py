"""Every fault of a cohort and its definition at once, each with its place. Pure."""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from livinglab.common.v1 import options_pb2
from livinglab.program.v1 import definition_pb2

from chassis.errors import Violation
from chassis.forms.addresses import is_address, mailbox
from programs import clock
from programs.overrides import effective
from programs.rules import costs, counts, overrides, shapes
from programs.rules import definition as definition_rules
from programs.rules.shapes import Faults

MOST_PARTICIPANTS = counts.MOST_PARTICIPANTS
_MOST_PEOPLE = counts.MOST_PEOPLE
# As a message; a call carries 8 MiB with everything else in it. 5,000 participants with four people have about two.
_LARGEST_ROSTER = 6 * 2**20
LONGEST_COHORT_ID = 40
_LANGUAGES = ("id", "en")


def validate(
    definition: definition_pb2.Definition,
    cohort: definition_pb2.CohortSpec,
    known_regions: Collection[str],
    known_instruments: Collection[str] | None = None,
    now: datetime | None = None,
) -> list[Violation]:
    """Every fault of both, with paths as in LaunchCohortRequest; empty when the cohort may start. All rules of a
    definition hold for the one that counts for the cohort too (`overrides.effective`: that is what runs). Instruments
    are not looked up where `known_instruments` is None, nor whether a real cohort is over where `now` is."""
    if too_many := [*counts.faults("definition", definition), *counts.faults("cohort", cohort)]:
        # Whatever the rules would say of so much would take as long.
        return too_many
    if faults := [*_too_large(definition, cohort)]:
        return faults
    own = [*definition_rules.faults(definition, known_instruments), *role_model(definition, known_regions)]
    found = [Violation(f"definition.{v.field}", v.description) for v in own]
    faults = [
        *_cohort_faults(definition, cohort, known_regions, now),
        *overrides.faults(definition, cohort, known_instruments),
        *costs.faults(definition, cohort),
    ]
    return found + [Violation(f"cohort.{v.field}", v.description) for v in faults]


def _too_large(definition: definition_pb2.Definition, cohort: definition_pb2.CohortSpec) -> Faults:
    """What its workflow takes along when it continues as new is one message; Temporal takes two million bytes."""
    size = definition.ByteSize()
    if size > counts.MOST_BYTES:
        yield Violation("definition", f"has {size} bytes; at most {counts.MOST_BYTES} are taken")
        return
    everybody = sum(len(participant.institution) + 2 for participant in cohort.roster)
    state = size + everybody * len(definition.phases) * counts.LISTS_A_PHASE
    if state > counts.MOST_STATE_BYTES:
        told = f"{len(cohort.roster)} participants in {len(definition.phases)} phases are too many together"
        yield Violation("cohort.roster", f"{told}: some {state} bytes of state; at most {counts.MOST_STATE_BYTES}")


def role_model(definition: definition_pb2.Definition, known_regions: Collection[str]) -> Faults:
    """The institution that everybody learns from is one that is known."""
    if definition.role_model and definition.role_model not in known_regions:
        yield Violation("role_model", f"{definition.role_model[:80]!r} is not a known institution")


def _cohort_faults(
    definition: definition_pb2.Definition,
    cohort: definition_pb2.CohortSpec,
    known_regions: Collection[str],
    now: datetime | None,
) -> Faults:
    yield from shapes.slug("id", cohort.id, LONGEST_COHORT_ID)
    yield from shapes.text("title", cohort.title)
    yield from shapes.long("note", cohort.note, shapes.LONGEST_NOTE)
    if cohort.definition != definition.id:
        yield Violation(
            "definition", f"names {cohort.definition[:80]!r}; the definition given is {definition.id[:80]!r}"
        )
    yield from _pace(cohort)
    if now is not None and not cohort.rehearsal:
        yield from _over(effective(definition, cohort), now)
    yield from roster_faults(cohort.roster, known_regions, _wanted(definition))


def roster_faults(
    roster: Sequence[definition_pb2.Participant],
    known_regions: Collection[str],
    wanted: Mapping[options_pb2.Role.ValueType, str] | None = None,
) -> Faults:
    """Every fault of a roster; `wanted` are the roles that each participant needs somebody for, and why."""
    if not roster:
        yield Violation("roster", "has no participant")
    elif len(roster) > MOST_PARTICIPANTS:
        yield Violation("roster", f"has {len(roster)} participants; at most {MOST_PARTICIPANTS} are taken")
        return
    elif (size := sum(participant.ByteSize() for participant in roster)) > _LARGEST_ROSTER:
        yield Violation("roster", f"has {size} bytes; at most {_LARGEST_ROSTER} are taken")
        return
    yield from shapes.unique("institution", ((f"roster[{i}].institution", p.institution) for i, p in enumerate(roster)))
    for i, participant in enumerate(roster):
        yield from _participant(f"roster[{i}]", participant, known_regions, wanted or {})


def _wanted(definition: definition_pb2.Definition) -> dict[options_pb2.Role.ValueType, str]:
    """Roles that every participant needs somebody for, and why: the first phase that invites it, or escalates to it."""
    escalated = {
        r: f"to whom {p.id} escalates" for p in reversed(definition.phases) for e in p.escalations for r in e.to
    }
    invited = {role: f"whom {phase.id} invites" for phase in reversed(definition.phases) for role in phase.invites}
    return {role: why for role, why in (escalated | invited).items() if role in shapes.OF_INSTITUTION}


def _pace(cohort: definition_pb2.CohortSpec) -> Faults:
    path = "seconds_per_day"
    if not cohort.rehearsal:
        if cohort.seconds_per_day:
            yield Violation(path, "is for rehearsals: a real cohort follows the calendar")
        return
    if not re.fullmatch(r"[0-9]{1,5}(\.[0-9]{1,6})?", cohort.seconds_per_day):
        given = f", not {cohort.seconds_per_day[:80]!r}" if cohort.seconds_per_day else ""
        yield Violation(path, f"must be a decimal such as 1.5 in a rehearsal{given}")
    elif not Decimal("0.001") <= Decimal(cohort.seconds_per_day) <= Decimal(clock.REAL_DAY):
        yield Violation(path, f"must be between 0.001 and {clock.REAL_DAY}")


def _participant(
    path: str,
    participant: definition_pb2.Participant,
    known_regions: Collection[str],
    wanted: Mapping[options_pb2.Role.ValueType, str],
) -> Faults:
    if participant.institution not in known_regions:
        yield Violation(f"{path}.institution", f"{participant.institution[:80]!r} is not a known institution")
    if len(participant.people) > _MOST_PEOPLE:
        yield Violation(f"{path}.people", f"has {len(participant.people)} people; at most {_MOST_PEOPLE} are taken")
    seen: set[tuple[int, str]] = set()
    for i, person in enumerate(participant.people[:_MOST_PEOPLE]):
        place = f"{path}.people[{i}]"
        yield from _person(place, person)
        if (person.role, mailbox(person.email)) in seen:
            yield Violation(
                place,
                f"lists {person.email[:100]} as {shapes.role_name(person.role)} of {participant.institution} twice",
            )
        seen.add((person.role, mailbox(person.email)))
    here = {person.role for person in participant.people}
    for role, why in wanted.items():
        if role not in here:
            yield Violation(f"{path}.people", f"{participant.institution[:80]} has no {shapes.role_name(role)}, {why}")


def _person(path: str, person: definition_pb2.Person) -> Faults:
    if person.role not in shapes.OF_INSTITUTION:
        yield Violation(f"{path}.role", f"must be one of {shapes.ROLES_OF_INSTITUTION}")
    yield from shapes.text(f"{path}.name", person.name)
    if not is_address(person.email):
        yield Violation(f"{path}.email", f"{person.email[:100]!r} is not an e-mail address")
    if person.language not in _LANGUAGES:
        yield Violation(f"{path}.language", f"must be {' or '.join(_LANGUAGES)}, not {person.language[:80]!r}")


def _over(definition: definition_pb2.Definition, now: datetime) -> Faults:
    """A real cohort starts before its last phase has closed."""
    zone = shapes.time_zone(definition.time_zone)
    days = [phase for phase in definition.phases if shapes.day(phase.closes)]
    if zone is None or not days:
        return
    last = max(days, key=lambda phase: phase.closes)
    if clock.closing(zone.key, last) <= now:
        yield Violation("definition", f"is over: its last phase closed on {last.closes}")
