"""What somebody was told, as they find it: read and unread, as it comes, and told the way they want it."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from livinglab.common.v1 import options_pb2
from livinglab.notify.v1 import inbox_service_pb2 as inbox
from livinglab.notify.v1 import service_pb2 as pb
from livinglab.notify.v1.inbox_service_pb2_grpc import InboxServiceStub
from livinglab.notify.v1.service_pb2_grpc import NotifyServiceStub

from chassis.errors import Kind
from stack.issuer import Issuer
from stack.mailbox import mails
from tests.harness.command import answered, livinglab
from tests.harness.servers import Servers
from tests.harness.service import Running, refusal, running_service
from tests.harness.waiting import eventually

SUMEDANG, BANDUNG = "32.11", "32.04"
VALUES = {
    "name": "Siti",
    "institution_name": "Kabupaten Sumedang",
    "cohort_title": "Living Lab 2022",
    "reason": "Kurang",
}


@pytest.fixture
async def notify(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[Running]:
    async with running_service("notify", servers, issuer, nats_url) as running:
        yield running


async def write(notify: Running, *, institution: str = SUMEDANG, rehearsal: str = "", **values: str) -> tuple[str, str]:
    """A returned plan, to an operator; the message's id and the address."""
    email = f"siti.{uuid.uuid4().hex[:12]}@sumedang.example"
    recipient = pb.Recipient(
        name="Siti", email=email, language="id", institution=institution, role=options_pb2.ROLE_OPERATOR
    )
    draft = pb.Draft(template="plan_returned", recipient=recipient, values={**VALUES, **values})
    request = pb.SendMessagesRequest(
        request_id=uuid.uuid4().hex, drafts=[draft], cohort_id="cohort-1", rehearsal=rehearsal
    )
    [message_id] = (await notify.as_role(NotifyServiceStub, "manager").SendMessages(request)).message_ids
    return message_id, email


def mine(notify: Running, institution: str = SUMEDANG, role: str = "operator") -> Any:
    return notify.as_role(InboxServiceStub, role, institution)


async def test_an_inbox_is_of_a_role_in_an_institution_and_is_read_message_by_message(notify: Running) -> None:
    ids = [(await write(notify))[0] for _ in range(3)]
    await write(notify, institution=BANDUNG)
    await write(notify, rehearsal="cohort-1")
    answer = await mine(notify).ListInbox(inbox.ListInboxRequest(page_size=2))
    assert [one.message_id for one in answer.entries] == [ids[2], ids[1]]
    assert (answer.unread, answer.entries[0].kind, "Kurang" in answer.entries[0].body) == (3, "plans", True)
    rest = await mine(notify).ListInbox(inbox.ListInboxRequest(page_size=2, page_token=answer.next_page_token))
    assert ([one.message_id for one in rest.entries], rest.next_page_token) == ([ids[0]], "")
    assert not (await mine(notify, role="head").ListInbox(inbox.ListInboxRequest())).entries
    marked = await mine(notify).MarkRead(inbox.MarkReadRequest(request_id=uuid.uuid4().hex, message_ids=[ids[1]]))
    assert marked.unread == 2
    unread = await mine(notify).ListInbox(inbox.ListInboxRequest(unread=True))
    assert [one.message_id for one in unread.entries] == [ids[2], ids[0]]
    again = inbox.MarkReadRequest(request_id=uuid.uuid4().hex, message_ids=[ids[1]], unread=True)
    assert (await mine(notify).MarkRead(again)).unread == 3
    others = inbox.MarkReadRequest(request_id=uuid.uuid4().hex, message_ids=[ids[0]])
    assert (await refusal(mine(notify, BANDUNG).MarkRead(others))).kind is Kind.NOT_FOUND
    rehearsed = await mine(notify).ListInbox(inbox.ListInboxRequest(rehearsal="cohort-1"))
    assert [one.subject[:7] for one in rehearsed.entries] == ["[GLADI]"]


async def test_what_was_read_stays_read_when_the_letter_goes_out(notify: Running) -> None:
    await quiet(notify)
    message_id, _ = await write(notify)
    await mine(notify).MarkRead(inbox.MarkReadRequest(request_id=uuid.uuid4().hex, message_ids=[message_id]))
    queued = {"_id": message_id, "state": pb.MESSAGE_STATE_QUEUED}
    due = await notify.db["messages"].update_one(queued, {"$set": {"due_time": datetime.now(UTC)}})
    # It was read before it went out.
    assert due.matched_count == 1
    await state(notify, message_id, pb.MESSAGE_STATE_DELIVERED)
    [entry] = (await mine(notify).ListInbox(inbox.ListInboxRequest())).entries
    assert entry.HasField("read_time")


async def state(notify: Running, message_id: str, wanted: int) -> dict[str, Any]:
    async def there() -> dict[str, Any] | None:
        row: dict[str, Any] | None = await notify.db["messages"].find_one({"_id": message_id})
        return row if row and row["state"] == wanted else None

    found = await eventually(there, timeout=30)
    assert found
    return found


async def test_a_watcher_is_told_how_many_are_unread_and_then_of_each_new_one(notify: Running) -> None:
    await write(notify)
    watching = mine(notify).WatchInbox(inbox.WatchInboxRequest())
    first = await asyncio.wait_for(watching.read(), 20)
    assert (first.HasField("entry"), first.unread) == (False, 1)
    await write(notify, institution=BANDUNG)
    message_id, _ = await write(notify)
    while True:
        news = await asyncio.wait_for(watching.read(), 20)
        if news.HasField("entry"):
            break
    assert (news.entry.message_id, news.unread) == (message_id, 2)
    watching.cancel()


async def test_what_somebody_wants_in_the_inbox_alone_is_not_mailed(notify: Running, servers: Servers) -> None:
    await wish(notify, kinds=[inbox.KindPreference(kind="plans", manner=inbox.MANNER_INBOX)])
    message_id, email = await write(notify)
    row = await state(notify, message_id, pb.MESSAGE_STATE_DELIVERED)
    assert row["channel"] == pb.CHANNEL_INBOX
    assert [mail for mail in mails(servers.mails) if mail["Delivered-To"] == email] == []
    assert [one.message_id for one in (await mine(notify).ListInbox(inbox.ListInboxRequest())).entries] == [message_id]


async def wish(notify: Running, **preferences: Any) -> None:
    request = inbox.SetPreferencesRequest(request_id=uuid.uuid4().hex, preferences=inbox.Preferences(**preferences))
    await mine(notify).SetPreferences(request)


async def quiet(notify: Running) -> datetime:
    """It is night for another hour at least; the time now."""
    now = datetime.now(UTC)
    hours = {"quiet_from": f"{(now - timedelta(hours=2)):%H}:00", "quiet_until": f"{(now + timedelta(hours=2)):%H}:00"}
    await wish(notify, **hours, time_zone="UTC")
    return now


async def test_in_quiet_hours_nothing_is_sent_and_it_goes_when_they_end(notify: Running) -> None:
    now = await quiet(notify)
    message_id, _ = await write(notify)
    row = await notify.db["messages"].find_one({"_id": message_id})
    assert row
    assert row["state"] == pb.MESSAGE_STATE_QUEUED
    assert timedelta(minutes=50) < row["due_time"] - now <= timedelta(hours=2)
    await notify.db["messages"].update_one({"_id": message_id}, {"$set": {"due_time": now}})
    await state(notify, message_id, pb.MESSAGE_STATE_DELIVERED)


async def test_a_day_becomes_one_letter(notify: Running, servers: Servers) -> None:
    await wish(notify, kinds=[inbox.KindPreference(kind="plans", manner=inbox.MANNER_DIGEST)])
    email = f"siti.{uuid.uuid4().hex[:12]}@sumedang.example"
    ids = [(await write(notify, reason=f"Catatan {n}"))[0] for n in range(3)]
    held = await notify.db["messages"].find({"_id": {"$in": ids}}).to_list(None)
    assert {one["state"] for one in held} == {pb.MESSAGE_STATE_HELD}
    # Of one person, whose morning has come.
    morning = {"$set": {"email": email, "due_time": datetime.now(UTC)}}
    await notify.db["messages"].update_many({"_id": {"$in": ids}}, morning)
    for one in ids:
        await state(notify, one, pb.MESSAGE_STATE_DIGESTED)

    def arrived() -> list[Any]:
        return [mail for mail in mails(servers.mails) if mail["Delivered-To"] == email]

    [mail] = await eventually(arrived, timeout=30)
    assert "3 pemberitahuan" in mail["Subject"]
    assert all(f"Catatan {n}" in mail.get_body(("plain",)).get_content() for n in range(3))
    listed = (await mine(notify).ListInbox(inbox.ListInboxRequest())).entries
    assert sorted(one.message_id for one in listed) == sorted(ids)


async def test_the_inbox_on_the_command_line(notify: Running) -> None:
    first, _ = await write(notify)
    second, _ = await write(notify)
    here = {"token": notify.issuer.token("operator", institution=SUMEDANG, subject="o1"), "notify": notify.address}
    assert [one["id"] for one in await answered("inbox", **here)] == [second, first]
    assert await answered("inbox", "read", first, **here) == {"unread": 1}
    assert [one["id"] for one in await answered("inbox", "--unread", **here)] == [second]
    changed = await answered("inbox", "preferences", "--kind", "plans=digest", "--quiet", "21:00-06:00", **here)
    assert (changed["kinds"], changed["quiet_from"]) == ({"plans": "digest"}, "21:00")
    code, _, err = await livinglab("inbox", "preferences", "--kind", "phases=inbox", **here)
    assert (code, "told at once" in err) == (1, True)


async def test_every_attempt_is_kept(notify: Running, servers: Servers) -> None:
    message_id, _ = await write(notify)
    await state(notify, message_id, pb.MESSAGE_STATE_DELIVERED)
    shown = await notify.as_role(NotifyServiceStub, "manager").GetMessage(pb.GetMessageRequest(message_id=message_id))
    assert [one.outcome for one in shown.message.tries] == ["taken"]
    assert time.time() - shown.message.tries[0].time.seconds < 60
