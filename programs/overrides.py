"""A definition as one cohort uses it: with the cohort's own time zone, dates, gates, reminders and sessions. Pure."""

from livinglab.program.v1 import definition_pb2

# What an override of a session may say anew.
SESSION_FIELDS = ("place", "start", "end", "time_zone")


def effective(definition: definition_pb2.Definition, cohort: definition_pb2.CohortSpec) -> definition_pb2.Definition:
    """The definition that counts for the cohort: a copy, with what the cohort says instead. A gate and a list of
    reminders are replaced as a whole; of a session, what is given. What names no phase or session of the definition
    changes nothing: `override_rules` tells. Doing it again changes nothing more."""
    found = definition_pb2.Definition()
    found.CopyFrom(definition)
    if cohort.time_zone:
        found.time_zone = cohort.time_zone
    for override in cohort.overrides:
        for phase in found.phases:
            if phase.id == override.phase:
                _apply(override, phase)
    return found


def _apply(override: definition_pb2.PhaseOverride, phase: definition_pb2.Phase) -> None:
    phase.opens = override.opens or phase.opens
    phase.closes = override.closes or phase.closes
    if override.HasField("gate"):
        phase.gate.CopyFrom(override.gate)
    if override.remind_days_before:
        phase.remind_days_before[:] = override.remind_days_before
    for changed in override.sessions:
        for session in phase.sessions:
            if session.id == changed.id:
                for field in SESSION_FIELDS:
                    setattr(session, field, getattr(changed, field) or getattr(session, field))
