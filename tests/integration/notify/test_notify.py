"""Notify alone, on a real database and broker, and a mail server that is really spoken to."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import TYPE_CHECKING, Any

import pytest
from livinglab.notify.v1 import address_service_pb2, events_pb2
from livinglab.notify.v1 import service_pb2 as pb
from livinglab.notify.v1.address_service_pb2_grpc import AddressServiceStub
from livinglab.notify.v1.service_pb2_grpc import NotifyServiceStub

from chassis.errors import Kind
from services.notify.delivery import Delivery
from services.notify.postman import Postman
from services.notify.store.messages import Store
from stack.issuer import Issuer
from stack.mailbox import behave, mails
from tests.harness.servers import Servers
from tests.harness.service import Running, refusal, running_service
from tests.harness.waiting import eventually

if TYPE_CHECKING:
    from livinglab.notify.v1.service_pb2_grpc import NotifyServiceAsyncStub

VALUES = {
    "name": "Siti Rahayu",
    "institution_name": "Kabupaten Sumedang",
    "cohort_title": "Living Lab 2022",
    "phase_title": "Lokakarya",
    "sessions": "7 November 2022, Jatinangor",
    "missing": "Rencana aksi",
    "deadline": "2022-11-13",
    "reason": "Gempa bumi\nGedung dipakai untuk pengungsi",
    "days": "-2",
}
COHORT = "cohort-1"


@pytest.fixture
async def notify(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[Running]:
    async with running_service("notify", servers, issuer, nats_url) as running:
        yield running


@pytest.fixture
def email() -> str:
    """A recipient of this test alone: the mailbox is everybody's."""
    return f"siti.{uuid.uuid4().hex[:12]}@sumedang.example"


def draft(email: str, template: str = "invitation", language: str = "id", **values: str) -> pb.Draft:
    recipient = pb.Recipient(name="Siti Rahayu, M.Si.", email=email, language=language, institution="32.11")
    return pb.Draft(template=template, recipient=recipient, values={**VALUES, **values})


def request(*drafts: pb.Draft, rehearsal: str = "") -> pb.SendMessagesRequest:
    return pb.SendMessagesRequest(request_id=uuid.uuid4().hex, drafts=drafts, cohort_id=COHORT, rehearsal=rehearsal)


def manager(notify: Running) -> "NotifyServiceAsyncStub":
    return notify.as_role(NotifyServiceStub, "manager")


async def sent(notify: Running, *drafts: pb.Draft, rehearsal: str = "") -> list[str]:
    return list((await manager(notify).SendMessages(request(*drafts, rehearsal=rehearsal))).message_ids)


async def message(notify: Running, message_id: str) -> pb.Message:
    return (await manager(notify).GetMessage(pb.GetMessageRequest(message_id=message_id))).message


async def reached(notify: Running, message_id: str, state: int) -> pb.Message:
    async def there() -> pb.Message | None:
        found = await message(notify, message_id)
        return found if found.state == state else None

    found = await eventually(there, timeout=20)
    assert found
    return found


def mails_to(servers: Servers, email: str) -> list[EmailMessage]:
    return [mail for mail in mails(servers.mails) if mail["Delivered-To"] == email]


def text_of(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


async def test_a_message_is_delivered_once_with_its_text_and_headers(
    notify: Running, servers: Servers, email: str
) -> None:
    [message_id] = await sent(notify, draft(email))
    delivered = await reached(notify, message_id, pb.MESSAGE_STATE_DELIVERED)
    [mail] = mails_to(servers, email)
    assert mail["Subject"] == delivered.subject == "Undangan: Lokakarya – Living Lab 2022"
    assert text_of(mail) == delivered.body
    assert "Yth. Siti Rahayu," in delivered.body
    assert "Minggu, 13 November 2022" in delivered.body
    assert mail["To"] == f'"Siti Rahayu, M.Si." <{email}>'
    assert mail["From"] == "livinglab@livinglab.example"
    assert mail["Message-ID"] == f"<{message_id}@livinglab.example>"
    assert mail["Content-Language"] == "id"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Date"].datetime == delivered.accept_time.ToDatetime(UTC).replace(microsecond=0)
    facts = await eventually(lambda: notify.published(events_pb2.MessageDelivered))
    assert [(f.message_id, f.template, f.institution, f.attempts, f.meta.cohort_id) for f in facts] == [
        (message_id, "invitation", "32.11", 1, COHORT)
    ]


async def test_a_rehearsal_is_marked_in_the_mail_and_in_the_fact(notify: Running, servers: Servers, email: str) -> None:
    await sent(notify, draft(email, language="en"), rehearsal=COHORT)
    [fact] = await eventually(lambda: notify.published(events_pb2.MessageDelivered))
    assert fact.meta.rehearsal == COHORT
    [mail] = mails_to(servers, email)
    assert mail["Subject"].startswith("[REHEARSAL] Invitation")
    assert text_of(mail).startswith("*** REHEARSAL ***")


async def test_every_letter_on_a_change_of_course_is_delivered_in_both_languages(
    notify: Running, servers: Servers, email: str
) -> None:
    letters = [
        (template, language)
        for template in ("cancellation", "postponed", "paused", "escalation", "readmitted")
        for language in ("id", "en")
    ]
    ids = await sent(notify, *(draft(email, template, language) for template, language in letters))
    delivered = [await reached(notify, message_id, pb.MESSAGE_STATE_DELIVERED) for message_id in ids]
    subjects = {str(mail["Subject"]) for mail in mails_to(servers, email)}
    assert subjects == {message.subject for message in delivered}
    assert len(subjects) == len(letters)


async def test_a_refusal_for_now_is_tried_again_until_it_is_delivered(
    notify: Running, servers: Servers, email: str
) -> None:
    behave(servers.mails, temporary=[email])
    [message_id] = await sent(notify, draft(email))

    async def refused() -> pb.Message | None:
        found = await message(notify, message_id)
        return found if found.attempts else None

    waiting = await eventually(refused)
    assert waiting
    assert waiting.state == pb.MESSAGE_STATE_QUEUED
    assert waiting.last_error == "451 4.3.0 this recipient is refused for now, try again later"
    assert waiting.next_attempt_time.ToDatetime(UTC) > waiting.accept_time.ToDatetime(UTC)
    behave(servers.mails)
    delivered = await reached(notify, message_id, pb.MESSAGE_STATE_DELIVERED)
    assert delivered.attempts >= 2
    assert delivered.last_error == ""
    assert len(mails_to(servers, email)) == 1


async def test_a_refusal_for_good_fails_with_the_servers_words(notify: Running, servers: Servers, email: str) -> None:
    behave(servers.mails, permanent=[email])
    other = f"other.{email}"
    [message_id, other_id] = await sent(notify, draft(email), draft(other))
    failed = await reached(notify, message_id, pb.MESSAGE_STATE_FAILED)
    assert failed.attempts == 1
    assert failed.last_error == "550 5.1.1 this recipient is refused for good"
    [fact] = await eventually(lambda: notify.published(events_pb2.MessageFailed))
    assert (fact.message_id, fact.attempts, fact.reason) == (message_id, 1, failed.last_error)
    await reached(notify, other_id, pb.MESSAGE_STATE_DELIVERED)
    assert len(mails_to(servers, other)) == 1


async def test_what_is_sent_while_the_mail_server_is_away_is_delivered_when_it_is_back(
    notify: Running, servers: Servers, email: str
) -> None:
    server = servers.server("mailbox")
    await server.kill()
    try:
        addresses = [f"{number}.{email}" for number in range(6)]
        ids = await sent(notify, *(draft(address) for address in addresses))

        async def tried() -> bool:
            return any([(await message(notify, message_id)).last_error for message_id in ids])

        await eventually(tried)
        assert {(await message(notify, i)).state for i in ids} == {pb.MESSAGE_STATE_QUEUED}
    finally:
        await server.start()
    for message_id, address in zip(ids, addresses, strict=True):
        delivered = await reached(notify, message_id, pb.MESSAGE_STATE_DELIVERED)
        assert delivered.attempts == 1
        assert len(mails_to(servers, address)) == 1


async def test_an_address_that_is_none_is_refused_by_itself_and_the_others_are_written_to(
    notify: Running, email: str
) -> None:
    asked = request(draft("kepala..dinas@indramayu.example"), draft(email))
    answer = await manager(notify).SendMessages(asked)
    assert [(one.draft, one.field) for one in answer.refused] == [(0, "recipient.email")]
    assert len(answer.message_ids) == 1
    assert await manager(notify).SendMessages(asked) == answer
    none = await manager(notify).SendMessages(request(draft("no address")))
    assert (list(none.message_ids), len(none.refused)) == ([], 1)


async def test_one_bad_draft_stores_none_and_every_fault_is_named(
    notify: Running, servers: Servers, email: str
) -> None:
    lacking = draft(email)
    del lacking.values["deadline"]
    del lacking.values["name"]
    faulty = request(
        draft(email),
        draft(email, template="greeting"),
        lacking,
        draft(email, phase_title="Satu\r\nBcc: x@y.example"),
    )
    refused = await refusal(manager(notify).SendMessages(faulty))
    assert refused.kind is Kind.INVALID_ARGUMENT
    assert [v.field for v in refused.violations] == [
        "drafts[1].template",
        "drafts[2].values.deadline",
        "drafts[2].values.name",
        "drafts[3].values.phase_title",
    ]
    assert await notify.db["messages"].count_documents({}) == 0
    assert mails_to(servers, email) == []


async def test_a_repeated_request_sends_nothing_more(notify: Running, servers: Servers, email: str) -> None:
    once = request(draft(email), draft(email, template="graduation"))
    first = await manager(notify).SendMessages(once)
    again = await manager(notify).SendMessages(once)
    assert list(again.message_ids) == list(first.message_ids)
    for message_id in first.message_ids:
        await reached(notify, message_id, pb.MESSAGE_STATE_DELIVERED)
    assert await notify.db["messages"].count_documents({}) == 2
    assert len(mails_to(servers, email)) == 2
    once.drafts[0].recipient.name = "Siti R."
    refused = await refusal(manager(notify).SendMessages(once))
    assert (refused.kind, refused.reason) == (Kind.ALREADY_EXISTS, "REQUEST_ID_REUSED")


async def test_a_crash_between_sending_and_recording_sends_again_under_the_same_message_id(
    notify: Running, servers: Servers, email: str
) -> None:
    [message_id] = await sent(notify, draft(email))
    await reached(notify, message_id, pb.MESSAGE_STATE_DELIVERED)
    # As it stands after a kill -9 of the process that had it in hand, once its lease is over.
    in_hand = {"state": pb.MESSAGE_STATE_QUEUED, "attempts": 0, "due_time": datetime.now(UTC), "holder": "gone"}
    await notify.db["messages"].update_one({"_id": message_id}, {"$set": {**in_hand, "delivery_time": None}})
    # Something new makes the process look at what is due.
    await sent(notify, draft(f"other.{email}"))
    await reached(notify, message_id, pb.MESSAGE_STATE_DELIVERED)
    first, second = mails_to(servers, email)
    assert first["Message-ID"] == second["Message-ID"]


async def test_replicas_side_by_side_send_each_message_once(notify: Running, servers: Servers) -> None:
    addresses = {f"{uuid.uuid4().hex[:12]}@bandung.example" for _ in range(60)}
    replica = Delivery(Store(notify.db), Postman(notify.process.settings))
    running = asyncio.create_task(replica.run())
    try:
        ids = await sent(notify, *(draft(address) for address in sorted(addresses)))
        replica.wake()
        for message_id in ids:
            await reached(notify, message_id, pb.MESSAGE_STATE_DELIVERED)
    finally:
        running.cancel()
        await asyncio.wait([running])
    delivered_to = [str(mail["Delivered-To"]) for mail in mails(servers.mails)]
    assert sorted(address for address in delivered_to if address in addresses) == sorted(addresses)


async def test_messages_of_a_cohort_are_listed_by_page_and_counted_by_state(
    notify: Running, servers: Servers, email: str
) -> None:
    refused = f"refused.{email}"
    behave(servers.mails, permanent=[refused])
    ids = await sent(notify, draft(email), draft(refused), draft(email, template="withdrawal"))
    await manager(notify).SendMessages(
        pb.SendMessagesRequest(request_id=uuid.uuid4().hex, drafts=[draft(email)], cohort_id="cohort-2")
    )
    for message_id, state in zip(ids, (2, 3, 2), strict=True):
        await reached(notify, message_id, state)
    platform = notify.as_role(NotifyServiceStub, "platform")
    first = await platform.ListMessages(pb.ListMessagesRequest(cohort_id=COHORT, page_size=2))
    rest = await platform.ListMessages(
        pb.ListMessagesRequest(cohort_id=COHORT, page_size=2, page_token=first.next_page_token)
    )
    assert [m.id for m in (*first.messages, *rest.messages)] == ids
    assert rest.next_page_token == ""
    assert {m.body for m in first.messages} == {""}
    failed = await platform.ListMessages(pb.ListMessagesRequest(cohort_id=COHORT, state=pb.MESSAGE_STATE_FAILED))
    assert [m.id for m in failed.messages] == [ids[1]]
    counts = (await platform.CountMessages(pb.CountMessagesRequest(cohort_id=COHORT))).counts
    assert [(c.template, c.state, c.count) for c in counts] == [
        ("invitation", pb.MESSAGE_STATE_DELIVERED, 1),
        ("invitation", pb.MESSAGE_STATE_FAILED, 1),
        ("withdrawal", pb.MESSAGE_STATE_DELIVERED, 1),
    ]


async def test_an_unknown_message_is_not_found_and_an_operator_may_not_look(notify: Running) -> None:
    get = pb.GetMessageRequest(message_id="nothing")
    assert (await refusal(manager(notify).GetMessage(get))).kind is Kind.NOT_FOUND
    operator = notify.as_role(NotifyServiceStub, "operator", "32.11")
    assert (await refusal(operator.GetMessage(get))).kind is Kind.PERMISSION_DENIED
    send = operator.SendMessages(request(draft("siti@sumedang.example")))
    assert (await refusal(send)).kind is Kind.PERMISSION_DENIED


async def test_the_platform_team_sees_that_a_letter_went_and_not_what_is_in_it(notify: Running, email: str) -> None:
    [message_id] = await sent(notify, draft(email))
    platform = notify.as_role(NotifyServiceStub, "platform")
    seen = (await platform.GetMessage(pb.GetMessageRequest(message_id=message_id))).message
    assert (seen.id, seen.template) == (message_id, "invitation")
    assert (seen.body, seen.subject, dict(seen.values)) == ("", "", {})
    for listed in (await platform.ListMessages(pb.ListMessagesRequest(cohort_id=COHORT))).messages:
        assert (listed.body, dict(listed.values)) == ("", {})


async def test_a_letter_tells_where_to_do_it_once_the_console_has_an_address(
    servers: Servers, issuer: Issuer, nats_url: str, email: str
) -> None:
    async with running_service("notify", servers, issuer, nats_url, console_url="https://lab.example/") as notify:
        ids = await sent(notify, draft(email), draft(email, language="en"))
        bodies = [(await reached(notify, one, pb.MESSAGE_STATE_DELIVERED)).body for one in ids]
    assert bodies[0].endswith("Pekerjaan Bapak/Ibu di platform Living Lab: https://lab.example/work\n")
    assert bodies[1].endswith("Your work on the Living Lab platform: https://lab.example/en/work\n")


async def test_meetings_come_with_the_letter_and_none_with_that_of_a_rehearsal(
    notify: Running, servers: Servers, email: str
) -> None:
    meeting = pb.CalendarEvent(uid="ll-2022.workshop.day-1", title="Lokakarya", place="Jatinangor")
    meeting.start_time.FromJsonString("2022-11-07T02:00:00Z")
    meeting.end_time.FromJsonString("2022-11-07T09:00:00Z")
    invitation = draft(email)
    invitation.events.append(meeting)
    await sent(notify, invitation, rehearsal=COHORT)
    await sent(notify, invitation)

    async def both() -> list[EmailMessage] | None:
        found = mails_to(servers, email)
        return found if len(found) == 2 else None

    found = await eventually(both)
    assert found
    kinds = sorted([part.get_content_type() for part in mail.walk()][-1] for mail in found)
    assert kinds == ["text/calendar", "text/html"]


async def test_an_address_where_nobody_is_is_offered_three_letters_and_then_none_until_it_is_restored(
    notify: Running, servers: Servers, email: str
) -> None:
    behave(servers.mails, permanent=[email])
    addresses: Any = notify.as_role(AddressServiceStub, "manager")

    async def undeliverable() -> list[str]:
        asked = address_service_pb2.ListUndeliverableRequest(cohort_id=COHORT)
        return [one.email for one in (await addresses.ListUndeliverable(asked)).addresses if one.email == email]

    for _ in range(3):
        assert await undeliverable() == []
        [refused] = await sent(notify, draft(email))
        assert (await reached(notify, refused, pb.MESSAGE_STATE_FAILED)).last_error.startswith("550 5.1.1")
    assert await undeliverable() == [email]
    # Somebody is there now, which nobody asks.
    behave(servers.mails)
    [kept] = await sent(notify, draft(email.upper()))
    failed = await reached(notify, kept, pb.MESSAGE_STATE_FAILED)
    assert failed.last_error.startswith("not offered: the address refused 3 letters for good, the last with: 550 5.1.1")
    restore = address_service_pb2.RestoreAddressRequest(request_id=uuid.uuid4().hex, email=email)
    await addresses.RestoreAddress(restore)
    assert await undeliverable() == []
    [message_id] = await sent(notify, draft(email))
    await reached(notify, message_id, pb.MESSAGE_STATE_DELIVERED)
    again = address_service_pb2.RestoreAddressRequest(request_id=uuid.uuid4().hex, email=email)
    assert (await refusal(addresses.RestoreAddress(again))).kind is Kind.NOT_FOUND


async def test_a_letter_that_is_taken_clears_what_an_address_refused_before(
    notify: Running, servers: Servers, email: str
) -> None:
    for permanent in ([email], [email], [], [email]):
        behave(servers.mails, permanent=permanent)
        [one] = await sent(notify, draft(email))
        await reached(notify, one, pb.MESSAGE_STATE_FAILED if permanent else pb.MESSAGE_STATE_DELIVERED)
    row = await notify.db["addresses"].find_one({"_id": email})
    assert row
    assert row["letters"] == [one]
