"""How people want to be told: kinds of messages, quiet hours, digests, and how much one mailbox takes. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from livinglab.notify.v1 import inbox_service_pb2 as pb

from chassis.errors import Violation
from directory import time_zone

_PHASES, DIGESTS = "phases", "digests"
_KINDS = {
    "session_moved": "sessions",
    "session_cancelled": "sessions",
    "plan_submitted": "plans",
    "plan_returned": "plans",
    "plan_approved": "plans",
    "plan_waiting": "plans",
    "plan_unreviewed": "plans",
    "actions_waiting": "plans",
    "coach_assigned": "assignments",
    "visit_planned": "visits",
    "visit_accepted": "visits",
    "visit_cancelled": "visits",
    "session_missed": "coaching",
    "memorandum_ending": "visits",
    "assessor_assigned": "assessments",
    "assignment": "assignments",
    "stage_concluded": "assessments",
    "objections_raised": "assessments",
    "objections_answered": "assessments",
    "visit_asked": "assessments",
    "evaluation_published": "assessments",
    "evidence_reviewed": "evidence",
    "webhook_disabled": "systems",
    "evidence_expiring": "evidence",
    "digest": DIGESTS,
}
# Days to be kept stand in these, and what somebody has been given to do.
_AT_ONCE = frozenset({_PHASES, "sessions", "assignments", DIGESTS})
CHOICE = frozenset(_KINDS.values()) - _AT_ONCE
# As ITU-T E.164 writes them.
_PHONE = re.compile(r"\+[1-9][0-9]{7,14}")
# When a digest is sent, by the wall clock of its reader.
_MORNING = time(7)
_USUAL_ZONE = "Asia/Jakarta"
# Of one mailbox and hour. What comes beyond waits for the next.
LETTERS_AN_HOUR = 100
_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Plan:
    """What becomes of a message: sent from a time on, held for a digest at that time, or for the inbox alone."""

    manner: pb.Manner.ValueType
    due: datetime


def kind(template: str) -> str:
    """What preferences are set for; letters of a cohort's course are of phases."""
    return _KINDS.get(template, _PHASES)


def may_be_left(kind: str) -> bool:
    """Whether its reader may do without letters of that kind; of digests, since all that they bring is such."""
    return kind in CHOICE or kind == DIGESTS


def violations(preferences: pb.Preferences) -> Iterator[Violation]:
    """What the rules of the fields do not see."""
    seen: set[str] = set()
    for i, one in enumerate(preferences.kinds):
        place = f"preferences.kinds[{i}]"
        if one.kind in _AT_ONCE and one.manner != pb.MANNER_AT_ONCE:
            yield Violation(f"{place}.manner", f"{one.kind} have to be known in time: they are told at once")
        elif one.kind not in CHOICE | _AT_ONCE:
            yield Violation(f"{place}.kind", f"{one.kind} is none of {', '.join(sorted(CHOICE))}")
        if one.kind in seen:
            yield Violation(f"{place}.kind", f"{one.kind} stands here twice")
        seen.add(one.kind)
        if one.manner not in pb.Manner.values():
            yield Violation(f"{place}.manner", "is not known")
    if preferences.phone and not _PHONE.fullmatch(preferences.phone):
        yield Violation("preferences.phone", "must be a number with its country, such as +6281234567890")
    hours = {"quiet_from": preferences.quiet_from, "quiet_until": preferences.quiet_until}
    for name, hour in hours.items():
        if hour and _hour(hour) is None:
            yield Violation(f"preferences.{name}", "must be an hour such as 21:00")
        elif not hour and any(hours.values()):
            yield Violation(f"preferences.{name}", "is required: quiet hours begin and end")


def planned(
    preferences: pb.Preferences | None, template: str, institution: str, now: datetime, *, sent_in_the_hour: int
) -> Plan:
    """What becomes of a message that is written now to somebody with these preferences, if they have any, to whose
    mailbox so many have gone in the last hour."""
    manner = pb.MANNER_AT_ONCE
    due = now + _HOUR * (sent_in_the_hour // LETTERS_AN_HOUR)
    if preferences is None:
        return Plan(manner, due)
    wanted = {one.kind: one.manner for one in preferences.kinds}
    manner = wanted.get(kind(template), manner)
    zone = _zone(preferences, institution)
    if manner == pb.MANNER_DIGEST:
        return Plan(manner, _morning(now, zone))
    return Plan(manner, _after_quiet(preferences, due, zone))


def _zone(preferences: pb.Preferences, institution: str) -> ZoneInfo:
    if preferences.time_zone:
        return ZoneInfo(preferences.time_zone)
    try:
        return ZoneInfo(time_zone(institution))
    except KeyError:
        return ZoneInfo(_USUAL_ZONE)


def _morning(now: datetime, zone: ZoneInfo) -> datetime:
    local = now.astimezone(zone)
    day = local.date() if local.time() < _MORNING else local.date() + timedelta(days=1)
    return datetime.combine(day, _MORNING, zone).astimezone(UTC)


def _after_quiet(preferences: pb.Preferences, due: datetime, zone: ZoneInfo) -> datetime:
    """The same, or the end of the quiet hours that it falls into; they may go over midnight."""
    begin, end = _hour(preferences.quiet_from), _hour(preferences.quiet_until)
    if begin is None or end is None or begin == end:
        return due
    local = due.astimezone(zone)
    at = local.time()
    quiet = begin <= at < end if begin < end else at >= begin or at < end
    if not quiet:
        return due
    day = local.date() if at < end else local.date() + timedelta(days=1)
    return datetime.combine(day, end, zone).astimezone(UTC)


def _hour(text: str) -> time | None:
    try:
        return time.fromisoformat(text) if len(text) == 5 else None
    except ValueError:
        return None
