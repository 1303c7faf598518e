"""What a recurrence must say, with paths as in CreateScheduleRequest. Pure."""

from livinglab.program.v1 import definition_pb2, schedule_service_pb2

from chassis.errors import Violation
from programs.rules.shapes import Faults

# What is added to the schedule's id must leave room: a cohort's has at most 40 characters.
_LONGEST_ID = 29
_LONGEST_REHEARSAL_ID = 24
_LONGEST_SECONDS = 366 * 86_400


def faults(recurrence: schedule_service_pb2.Recurrence, cohort: definition_pb2.CohortSpec) -> Faults:
    """Every fault of a recurrence, and of the cohort's id as the name of a schedule."""
    longest = _LONGEST_REHEARSAL_ID if recurrence.every_seconds else _LONGEST_ID
    if len(cohort.id) > longest:
        yield Violation("cohort.id", f"has {len(cohort.id)} characters; as a schedule's id it has at most {longest}")
    if recurrence.every_seconds:
        yield from _seconds(recurrence, cohort)
    else:
        yield from _calendar(recurrence)


def _seconds(recurrence: schedule_service_pb2.Recurrence, cohort: definition_pb2.CohortSpec) -> Faults:
    if not cohort.rehearsal:
        yield Violation("recurrence.every_seconds", "is for rehearsals: a real cohort follows the calendar")
    if recurrence.every_seconds > _LONGEST_SECONDS:
        yield Violation("recurrence.every_seconds", f"is at most {_LONGEST_SECONDS}")
    for name in ("months", "day", "every_years"):
        if getattr(recurrence, name):
            yield Violation(f"recurrence.{name}", "has no meaning beside every_seconds")


def _calendar(recurrence: schedule_service_pb2.Recurrence) -> Faults:
    if not recurrence.months:
        yield Violation("recurrence.months", "is required: in which months does a cohort start?")
    for i, month in enumerate(recurrence.months):
        if not 1 <= month <= 12:
            yield Violation(f"recurrence.months[{i}]", f"must be between 1 and 12, not {month}")
        elif month in recurrence.months[:i]:
            yield Violation(f"recurrence.months[{i}]", f"names {month} twice")
    if not recurrence.day:
        yield Violation("recurrence.day", "is required: on which day of the month does a cohort start?")
