"""Meetings of a letter as iCalendar invitations (RFC 5545, 5546). Pure."""

from datetime import UTC, datetime

from livinglab.notify.v1 import service_pb2 as pb

from chassis import ical

# From when sequences are counted, in seconds: a later letter brings a later one, whoever wrote it.
_EPOCH = datetime(2022, 1, 1, tzinfo=UTC)


def method(event: pb.CalendarEvent) -> str:
    """REQUEST puts it into a calendar or brings it up to date there, CANCEL takes it out."""
    return "CANCEL" if event.cancelled else "REQUEST"


def invitation(message: pb.Message, event: pb.CalendarEvent, organizer: str) -> bytes:
    """One meeting as a file of its own: calendars take one at a time."""
    accepted = message.accept_time.ToDatetime(UTC)
    person = message.recipient
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Living Lab//notify//EN",
        f"METHOD:{method(event)}",
        "BEGIN:VEVENT",
        f"UID:{event.uid}@livinglab",
        f"SEQUENCE:{int((accepted - _EPOCH).total_seconds())}",
        f"DTSTAMP:{ical.utc(accepted)}",
        f"DTSTART:{ical.utc(event.start_time.ToDatetime(UTC))}",
        f"DTEND:{ical.utc(event.end_time.ToDatetime(UTC))}",
        f"SUMMARY:{ical.text(event.title)}",
        *([f"LOCATION:{ical.text(event.place)}"] if event.place else []),
        f"ORGANIZER:mailto:{organizer}",
        f"ATTENDEE;CN={ical.quoted(person.name)};ROLE=REQ-PARTICIPANT;RSVP=FALSE:mailto:{person.email}",
        f"STATUS:{'CANCELLED' if event.cancelled else 'CONFIRMED'}",
        "END:VEVENT",
        "END:VCALENDAR",
    ]
    return b"".join(ical.folded(line) for line in lines)
