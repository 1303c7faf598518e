"""`livinglab notify` as people and scripts run it, against a running notify and a mail server that says no at times."""

import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from livinglab.notify.v1 import service_pb2 as pb
from livinglab.notify.v1.service_pb2_grpc import NotifyServiceStub

from stack.issuer import Issuer
from stack.mailbox import behave, mails
from tests.harness.command import answered, livinglab
from tests.harness.servers import Servers
from tests.harness.service import Running, running_service
from tests.harness.waiting import eventually

COHORT = "cohort-1"
VALUES = {"name": "Siti", "institution_name": "Kabupaten Sumedang", "cohort_title": "Living Lab 2022"}


@pytest.fixture
async def notify(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[Running]:
    async with running_service("notify", servers, issuer, nats_url) as running:
        yield running


def manager(notify: Running) -> dict[str, Any]:
    return {"token": notify.issuer.token("manager", subject="m1"), "notify": notify.address}


async def sent(notify: Running, email: str, state: str) -> str:
    """A message that has come to that state."""
    recipient = pb.Recipient(name="Siti", email=email, language="id", institution="32.11")
    draft = pb.Draft(template="graduation", recipient=recipient, values=VALUES)
    request = pb.SendMessagesRequest(request_id=uuid.uuid4().hex, drafts=[draft], cohort_id=COHORT)
    [message_id] = (await notify.as_role(NotifyServiceStub, "manager").SendMessages(request)).message_ids
    await settled(notify, message_id, state)
    return str(message_id)


async def settled(notify: Running, message_id: str, state: str) -> None:
    async def there() -> bool:
        row = await notify.db["messages"].find_one({"_id": message_id})
        return bool(row and row["state"] == pb.MessageState.Value(f"MESSAGE_STATE_{state.upper()}"))

    await eventually(there)


async def test_a_failed_message_is_found_and_sent_again_once(notify: Running, servers: Servers) -> None:
    here, email = manager(notify), f"siti.{uuid.uuid4().hex[:12]}@sumedang.example"
    behave(servers.mails, permanent=[email])
    failed = await sent(notify, email, "failed")
    delivered = await sent(notify, f"budi.{uuid.uuid4().hex[:12]}@sumedang.example", "delivered")
    [listed] = await answered("notify", "list", COHORT, "--state", "failed", **here)
    assert (listed["id"], listed["to"], listed["state"]) == (failed, email, "failed")
    assert listed["last_error"]
    assert [row["id"] for row in await answered("notify", "list", COHORT, **here)] == [failed, delivered]
    counts = await answered("notify", "count", COHORT, **here)
    assert sorted((row["state"], row["count"]) for row in counts) == [("delivered", 1), ("failed", 1)]
    code, out, _ = await livinglab("notify", "show", failed, **here)
    assert (code, f"id: {failed}" in out, "Kabupaten Sumedang" in out, "last error:" in out) == (0, True, True, True)

    behave(servers.mails)
    [again] = await answered("notify", "retry", failed, **here)
    assert again["id"] == failed
    assert await answered("notify", "retry", "--cohort", COHORT, **here) == [again]
    await settled(notify, again["sent_as"], "delivered")
    shown, first = [await answered("notify", "show", one, **here) for one in (again["sent_as"], failed)]
    assert (shown["body"], shown["values"]) == (first["body"], first["values"])
    assert len([mail for mail in mails(servers.mails) if mail["To"] and email in mail["To"]]) == 1


async def test_only_what_failed_is_sent_again(notify: Running) -> None:
    here = manager(notify)
    delivered = await sent(notify, f"budi.{uuid.uuid4().hex[:12]}@sumedang.example", "delivered")
    code, out, err = await livinglab("notify", "retry", delivered, **here)
    assert (code, out, err) == (1, "", f"{delivered} is delivered, not failed: nothing was sent\n")
    code, out, err = await livinglab("notify", "retry", "nowhere", **here)
    assert (code, out, err) == (1, "", "refused: message nowhere does not exist\n")
    code, out, _ = await livinglab("notify", "retry", "--cohort", COHORT, **here)
    assert (code, out) == (0, "no message has failed\n")
    for wrong in (("retry",), ("retry", delivered, "--cohort", COHORT), ("list", COHORT, "--state", "lost")):
        assert (await livinglab("notify", *wrong, **here))[0] == 2
    code, _, err = await livinglab("notify", "list", COHORT, token=notify.issuer.token("public"), notify=notify.address)
    assert (code, "is for manager, platform" in err) == (1, True)


async def test_the_rules_are_shown_with_whom_each_tells(notify: Running) -> None:
    here = manager(notify)
    code, out, _ = await livinglab("notify", "rules", **here)
    assert (code, "plan-returned" in out, "operator, head" in out) == (0, True, True)
    [rule] = [one for one in await answered("notify", "rules", **here) if one["id"] == "plan-not-revised"]
    assert (rule["fact"], rule["after_days"]) == ("coaching.v1.PlanReturned", 7)
