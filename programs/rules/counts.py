"""The most of everything that a definition and a cohort may have. Checked before all other rules, so that none of them
has to work through a huge file. Pure."""

from collections.abc import Iterator

from google.protobuf.message import Message

from chassis.errors import Violation

MOST_PARTICIPANTS = 5_000
MOST_PEOPLE = 20
# With a cohort's state it travels through Temporal in one piece, at each continuation of its workflow.
MOST_BYTES = 256 * 1024
MOST_STATE_BYTES = 1_600_000
# Of institutions that a phase keeps in it, at worst: whom it is for, who is done, who counts for the quorum.
LISTS_A_PHASE = 3
# Of any list or map that is not named here.
_OTHERWISE = 50
_MOST = {
    "livinglab.program.v1.Definition.phases": 24,
    "livinglab.program.v1.Phase.duties": 40,
    "livinglab.program.v1.Phase.sessions": 40,
    "livinglab.program.v1.Phase.escalations": 20,
    "livinglab.program.v1.CohortSpec.roster": MOST_PARTICIPANTS,
    "livinglab.program.v1.CohortSpec.costs": 200,
    "livinglab.program.v1.CohortSpec.overrides": 24,
    "livinglab.program.v1.PhaseOverride.sessions": 40,
    "livinglab.program.v1.Participant.people": MOST_PEOPLE,
}


def faults(path: str, message: Message) -> list[Violation]:
    """Every list that is too long, however deep; what lies below one is not looked at."""
    return list(_faults(path, message))


def most(field: str) -> int:
    """Items that a list of that full name may have."""
    return _MOST.get(field, _OTHERWISE)


def _faults(path: str, message: Message) -> Iterator[Violation]:
    for field, value in message.ListFields():
        place = f"{path}.{field.name}" if path else field.name
        if not field.is_repeated:
            if field.message_type is not None:
                yield from _faults(place, value)
            continue
        if len(value) > most(field.full_name):
            yield Violation(place, f"has {len(value)} items; at most {most(field.full_name)} are taken")
        elif field.message_type is not None and not field.message_type.GetOptions().map_entry:
            for i, item in enumerate(value):
                yield from _faults(f"{place}[{i}]", item)
