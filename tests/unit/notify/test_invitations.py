"""What calendars and mail programs make of a letter: three strict readers of iCalendar, and the parts of the mail."""

from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage

import ics
import pytest
import vobject
from icalendar import Calendar
from livinglab.notify.v1 import service_pb2 as pb

from chassis.config import Settings
from services.notify.model import calendar, pages
from services.notify.postman import Postman

START = datetime(2022, 11, 7, 2, tzinfo=UTC)
NAME = 'Dr. "Siti" Rahayu, M.Si.; Kepala Dinas Komunikasi, Informatika, Persandian dan Statistik'
TITLE, PLACE = "Lokakarya; hari, pertama \\ Jatinangor", "Gedung Negara, ruang: utama"


def event(
    uid: str = "ll-2022.workshop.day-1", *, later: timedelta = timedelta(0), cancelled: bool = False
) -> pb.CalendarEvent:
    found = pb.CalendarEvent(uid=uid, title=TITLE, place=PLACE, cancelled=cancelled)
    found.start_time.FromDatetime(START + later)
    found.end_time.FromDatetime(START + later + timedelta(hours=7))
    return found


def letter(*events: pb.CalendarEvent, body: str = "Yth.\n", written: datetime = START) -> pb.Message:
    recipient = pb.Recipient(name=NAME, email="siti@sumedang.example", language="id")
    message = pb.Message(id="m1", recipient=recipient, subject="Undangan", body=body, events=events)
    message.accept_time.FromDatetime(written)
    return message


def file_of(one: pb.CalendarEvent, written: datetime = START) -> bytes:
    return calendar.invitation(letter(one, written=written), one, "livinglab@livinglab.example")


def mail(message: pb.Message) -> EmailMessage:
    return message_from_bytes(Postman(Settings()).mail(message).as_bytes(), policy=policy.default)


def test_icalendar_reads_an_invitation() -> None:
    found = Calendar.from_ical(file_of(event()))
    [meeting] = found.walk("VEVENT")
    assert not meeting.errors
    assert (found["METHOD"], meeting["UID"]) == ("REQUEST", "ll-2022.workshop.day-1@livinglab")
    assert (meeting["SUMMARY"], meeting["LOCATION"], meeting["STATUS"]) == (TITLE, PLACE, "CONFIRMED")
    assert (meeting.decoded("DTSTART"), meeting.decoded("DTEND")) == (START, START + timedelta(hours=7))
    assert meeting["ATTENDEE"] == "mailto:siti@sumedang.example"
    assert meeting["ATTENDEE"].params["CN"] == NAME.replace('"', "")


def test_ics_and_vobject_read_the_same() -> None:
    text = file_of(event()).decode()
    [meeting] = ics.Calendar(text).events
    assert (meeting.name, meeting.location, meeting.begin.datetime) == (TITLE, PLACE, START)
    other = vobject.readOne(text)
    other.validate(raiseException=True)
    assert (other.method.value, other.vevent.summary.value, other.vevent.dtstart.value) == ("REQUEST", TITLE, START)


def test_a_move_is_a_later_version_of_the_same_meeting_and_a_cancellation_takes_it_out() -> None:
    first = Calendar.from_ical(file_of(event()))
    moved = Calendar.from_ical(file_of(event(later=timedelta(days=1)), START + timedelta(seconds=1)))
    gone = Calendar.from_ical(file_of(event(cancelled=True), START + timedelta(days=2)))
    versions = [(one["METHOD"], one.walk("VEVENT")[0]) for one in (first, moved, gone)]
    assert [method for method, _ in versions] == ["REQUEST", "REQUEST", "CANCEL"]
    assert len({meeting["UID"] for _, meeting in versions}) == 1
    sequences = [int(meeting.decoded("SEQUENCE")) for _, meeting in versions]
    assert sequences == sorted(set(sequences))
    assert versions[2][1]["STATUS"] == "CANCELLED"


def test_no_line_of_the_file_is_longer_than_readers_take() -> None:
    assert max(len(line) for line in file_of(event()).split(b"\r\n")) <= 75


def test_a_meeting_alone_is_offered_by_the_mail_program_and_several_are_files() -> None:
    one = mail(letter(event()))
    assert [part.get_content_type() for part in one.walk()] == [
        "multipart/alternative",
        "text/plain",
        "text/html",
        "text/calendar",
    ]
    part = [*one.walk()][-1]
    assert part.get_param("method") == "REQUEST"
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    assert Calendar.from_ical(content).walk("VEVENT")
    several = mail(letter(event("a.b.c"), event("a.b.d", cancelled=True)))
    files = [(part.get_filename(), part.get_param("method")) for part in several.iter_attachments()]
    assert files == [("invite-1.ics", "REQUEST"), ("invite-2.ics", "CANCEL")]


def test_a_letter_without_meetings_is_text_and_page_in_its_language() -> None:
    found = mail(letter())
    assert [part.get_content_type() for part in found.iter_parts()] == ["text/plain", "text/html"]
    assert found["Content-Language"] == "id"


@pytest.mark.parametrize("typed", ["<script>alert(1)</script>", '<img src=x onerror="x">', "&amp; < > ' \""])
def test_what_people_typed_stays_text_on_the_page(typed: str) -> None:
    page = pages.page(typed, f"Yth.\n\nCatatan: {typed}\n\nhttps://lab.example/work\n", "id")
    head, _, rest = page.partition("<body")
    assert typed not in page.replace("&#x27;", "'") or typed == "&amp; < > ' \""
    assert "<script" not in page
    assert "<img" not in page
    assert head.count("<title>") == 1
    assert '<a href="https://lab.example/work">https://lab.example/work</a>' in rest
