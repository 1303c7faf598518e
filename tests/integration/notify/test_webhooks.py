"""Facts reach other systems over HTTP: signed, once, whatever their receivers do, and no more than they may see."""

import base64
import json
import time
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from livinglab.coaching.v1 import coach_events_pb2
from livinglab.coaching.v1 import events_pb2 as coaching
from livinglab.notify.v1 import inbox_service_pb2, webhook_events_pb2, webhook_pb2
from livinglab.notify.v1 import webhook_service_pb2 as pb
from livinglab.notify.v1.inbox_service_pb2_grpc import InboxServiceStub
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from chassis.errors import Kind
from services.notify.model import webhooks
from stack.issuer import Issuer
from tests.harness.hooks.calls import RESULTS, came, hooks, log, made, retry, shown, tried
from tests.harness.hooks.facts import SUMEDANG, result_withdrawn, tell
from tests.harness.hooks.receiver import DROP, HANG, Received, Receiver, receiving
from tests.harness.servers import Servers
from tests.harness.service import Running, refusal, running_service
from tests.harness.waiting import eventually

BANDUNG = "32.04"
SETTINGS: dict[str, Any] = {"webhook_networks": ["127.0.0.0/8"], "webhook_seconds": 1.0}


@pytest.fixture
async def notify(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[Running]:
    async with running_service("notify", servers, issuer, nats_url, **SETTINGS) as running:
        yield running


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as found:
        yield found


def verified_v1a(received: Received, public_key: str) -> bool:
    """By the specification, with a library that is not ours."""
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key.removeprefix("whpk_")))
    signed = f"{received.headers['webhook-id']}.{received.headers['webhook-timestamp']}.".encode() + received.body
    for one in received.headers["webhook-signature"].split(" "):
        version, _, signature = one.partition(",")
        if version == "v1a":
            try:
                key.verify(base64.b64decode(signature), signed)
            except InvalidSignature:
                continue
            return True
    return False


async def test_a_fact_comes_signed_as_a_cloud_event_which_the_official_library_believes(
    notify: Running, receiver: Receiver
) -> None:
    answer = await made(notify, receiver.url + "?for=us")
    assert answer.secret.startswith("whsec_")
    [event_id] = await tell(notify.nats_url, result_withdrawn())
    [one] = await came(receiver, 1)
    assert one.path == "/hook?for=us"
    assert one.headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    assert one.headers["webhook-id"] == event_id
    body = Webhook(answer.secret).verify(one.body, dict(one.headers))
    assert (body["specversion"], body["id"], body["type"]) == (
        "1.0",
        event_id,
        "livinglab.assessment.v1.ResultWithdrawn",
    )
    assert body["datacontenttype"] == "application/json"
    assert body["data"]["institution"] == SUMEDANG
    assert body["stream"] == "ASSESSMENT"
    # Who did it is nobody's business outside.
    assert "Budi" not in one.body.decode()
    [public_key] = answer.webhook.public_keys
    assert verified_v1a(one, public_key)
    changed = Received(one.path, one.headers, one.body.replace(b"spbe-2020", b"spbe-2026"))
    assert not verified_v1a(changed, public_key)
    with pytest.raises(WebhookVerificationError):
        Webhook(answer.secret).verify(changed.body, dict(one.headers))
    delivery = await tried(notify, answer.webhook.id, 1)
    assert (delivery.state, delivery.tries[0].status, delivery.tries[0].address) == (
        webhook_pb2.DELIVERY_STATE_ACCEPTED,
        204,
        "127.0.0.1",
    )
    assert len(receiver.received) == 1


async def test_a_receiver_is_told_what_is_public_and_more_only_where_it_was_allowed(notify: Running) -> None:
    async with receiving() as public, receiving() as of_sumedang, receiving() as platform:
        everything: dict[str, Any] = {"subjects": ["coaching.v1.>", RESULTS]}
        await made(notify, public.url, **everything)
        await made(notify, of_sumedang.url, institution=SUMEDANG, **everything)
        await made(notify, platform.url, role="platform", everything=True, **everything)
        drafted = [coaching.PlanDrafted(institution=code, plan_id="p") for code in (SUMEDANG, BANDUNG)]
        left = coach_events_pb2.CoachLeft(coach_id="c")
        ids = await tell(notify.nats_url, *drafted, left)
        await tell(notify.nats_url, result_withdrawn(BANDUNG), rehearsal="cohort-1")
        [last] = await tell(notify.nats_url, result_withdrawn())
        told: dict[str, list[str]] = {}
        for name, one, count in (("public", public, 1), ("of", of_sumedang, 2), ("platform", platform, 4)):
            told[name] = [got.headers["webhook-id"] for got in await came(one, count)]
        assert told["public"] == [last]
        assert set(told["of"]) == {ids[0], last}
        assert set(told["platform"]) == {*ids, last}
        assert "Budi Santoso" in platform.received[0].body.decode()
    refused = await refusal(made(notify, public.url, everything=True))
    assert refused.kind is Kind.PERMISSION_DENIED


async def test_what_fails_is_tried_by_the_schedule_and_redirects_are_not_followed(
    notify: Running, receiver: Receiver
) -> None:
    async with receiving() as elsewhere:
        webhook = (await made(notify, receiver.url)).webhook
        receiver.answer(302, location=elsewhere.url)
        await tell(notify.nats_url, result_withdrawn())
        delivery = await tried(notify, webhook.id, 1)
        wait = delivery.next_attempt_time.ToDatetime(UTC) - delivery.tries[0].time.ToDatetime(UTC)
        assert timedelta(seconds=5) <= wait <= timedelta(seconds=5.5)
        assert (delivery.tries[0].status, "redirects are not followed" in delivery.tries[0].outcome) == (302, True)
        # The second try, five seconds later by itself; then five minutes.
        receiver.answer(HANG)
        delivery = await tried(notify, webhook.id, 2)
        assert (delivery.tries[1].status, delivery.tries[1].outcome) == (0, "no answer within 1 seconds")
        wait = delivery.next_attempt_time.ToDatetime(UTC) - delivery.tries[1].time.ToDatetime(UTC)
        assert timedelta(minutes=5) <= wait <= timedelta(minutes=5.5)
        receiver.answer(DROP)
        await retry(notify, webhook.id, delivery.id)
        delivery = await tried(notify, webhook.id, 3)
        assert delivery.tries[2].outcome == "closed without an answer"
        receiver.answer(503, retry_after="900")
        await retry(notify, webhook.id, delivery.id)
        delivery = await tried(notify, webhook.id, 4)
        wait = delivery.next_attempt_time.ToDatetime(UTC) - delivery.tries[3].time.ToDatetime(UTC)
        assert abs(wait - timedelta(minutes=15)) < timedelta(seconds=1)
        assert (await shown(notify, webhook.id)).waiting == 1
        receiver.answer(200)
        assert await retry(notify, webhook.id, delivery.id) == 1
        await eventually(lambda: len(receiver.received) == 5, timeout=30)
        await eventually(lambda: _accepted(notify, webhook.id), timeout=30)
        assert not elsewhere.received
        # One id, whatever came of it.
        assert len({one.headers["webhook-id"] for one in receiver.received}) == 1


async def _accepted(notify: Running, webhook_id: str) -> bool:
    found = await log(notify, webhook_id)
    return {one.state for one in found} == {webhook_pb2.DELIVERY_STATE_ACCEPTED}


async def test_a_receiver_that_hangs_delays_no_other(notify: Running, receiver: Receiver) -> None:
    async with receiving() as slow:
        slow.answer(HANG)
        webhook = (await made(notify, slow.url)).webhook
        await made(notify, receiver.url)
        ids = await tell(notify.nats_url, *(result_withdrawn() for _ in range(12)))
        began = time.monotonic()
        await came(receiver, len(ids))
        # One that hangs a second each, four at once, would have needed three.
        assert time.monotonic() - began < 2.5
        assert {one.headers["webhook-id"] for one in receiver.received} == set(ids)
        # Back again: what it missed does not wait for its turn of minutes.
        await eventually(lambda: _failures(notify, webhook.id, 5), timeout=30)
        slow.answer(200)
        await eventually(lambda: _accepted(notify, webhook.id), timeout=60)
        assert {one.headers["webhook-id"] for one in slow.received} == set(ids)


async def _failures(notify: Running, webhook_id: str, count: int) -> bool:
    row = await notify.db["webhooks"].find_one({"_id": webhook_id})
    return bool(row["failures"] >= count)


async def test_410_ends_it_managers_learn_and_it_goes_on_where_it_was(notify: Running, receiver: Receiver) -> None:
    webhook = (await made(notify, receiver.url)).webhook
    receiver.answer(410)
    await tell(notify.nats_url, result_withdrawn())

    async def disabled() -> bool:
        return (await shown(notify, webhook.id)).state == webhook_pb2.WEBHOOK_STATE_DISABLED

    await eventually(disabled, timeout=30)
    assert "410" in (await shown(notify, webhook.id)).reason
    inbox = await notify.as_role(InboxServiceStub, "manager").ListInbox(inbox_service_pb2.ListInboxRequest())
    assert [(one.template, "127.0.0.1" in one.subject) for one in inbox.entries] == [("webhook_disabled", True)]
    facts = await eventually(lambda: notify.published(webhook_events_pb2.WebhookDisabled), timeout=30)
    assert [one.host for one in facts or [] if one.webhook_id == webhook.id] == ["127.0.0.1"]
    await tell(notify.nats_url, result_withdrawn(BANDUNG))
    receiver.answer(200)
    assert len(receiver.received) == 1
    request = pb.UpdateWebhookRequest(
        request_id=uuid.uuid4().hex, webhook_id=webhook.id, state=webhook_pb2.WEBHOOK_STATE_ACTIVE
    )
    assert (await hooks(notify).UpdateWebhook(request)).webhook.state == webhook_pb2.WEBHOOK_STATE_ACTIVE
    told = [json.loads(one.body)["data"]["institution"] for one in await came(receiver, 3)]
    assert told == [SUMEDANG, SUMEDANG, BANDUNG]


async def test_a_rotation_has_both_secrets_sign_and_then_the_old_one_no_more(
    notify: Running, receiver: Receiver
) -> None:
    first = await made(notify, receiver.url)
    rotate = pb.RotateWebhookSecretRequest(request_id=uuid.uuid4().hex, webhook_id=first.webhook.id, overlap_hours=1)
    second = await hooks(notify).RotateWebhookSecret(rotate)
    # The answer was lost: the same one again.
    assert (await hooks(notify).RotateWebhookSecret(rotate)).secret == second.secret
    await tell(notify.nats_url, result_withdrawn())
    [one] = await came(receiver, 1)
    for secret in (first.secret, second.secret):
        Webhook(secret).verify(one.body, dict(one.headers))
    assert len(second.webhook.public_keys) == 2
    assert all(verified_v1a(one, key) for key in second.webhook.public_keys)
    at_once = pb.RotateWebhookSecretRequest(request_id=uuid.uuid4().hex, webhook_id=first.webhook.id)
    third = await hooks(notify).RotateWebhookSecret(at_once)
    await tell(notify.nats_url, result_withdrawn())
    two = (await came(receiver, 2))[1]
    Webhook(third.secret).verify(two.body, dict(two.headers))
    for secret in (first.secret, second.secret):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(two.body, dict(two.headers))


async def test_the_past_is_sent_again_from_a_place_or_a_time_under_the_same_ids(
    notify: Running, receiver: Receiver
) -> None:
    began = datetime.now(UTC)
    past = await tell(notify.nats_url, result_withdrawn())
    webhook = (await made(notify, receiver.url)).webhook
    ids = await tell(notify.nats_url, *(result_withdrawn() for _ in range(3)))
    first = [one.headers["webhook-id"] for one in await came(receiver, 3)]
    assert sorted(first) == sorted(ids)
    places = {one.headers["webhook-id"]: json.loads(one.body)["place"] for one in receiver.received}
    replay = pb.ReplayWebhookRequest(
        request_id=uuid.uuid4().hex, webhook_id=webhook.id, stream="ASSESSMENT", after=places[ids[0]]
    )
    await hooks(notify).ReplayWebhook(replay)
    again = [one.headers["webhook-id"] for one in (await came(receiver, 5))[3:]]
    assert sorted(again) == sorted(ids[1:])
    since = pb.ReplayWebhookRequest(request_id=uuid.uuid4().hex, webhook_id=webhook.id)
    since.since.FromDatetime(began)
    await hooks(notify).ReplayWebhook(since)
    all_again = [one.headers["webhook-id"] for one in (await came(receiver, 9))[5:]]
    assert sorted(all_again) == sorted([*past, *ids])
    neither = pb.ReplayWebhookRequest(request_id=uuid.uuid4().hex, webhook_id=webhook.id)
    assert (await refusal(hooks(notify).ReplayWebhook(neither))).kind is Kind.INVALID_ARGUMENT


async def test_two_replicas_deliver_once_each_and_the_other_takes_over(
    notify: Running, servers: Servers, issuer: Issuer, nats_url: str, receiver: Receiver
) -> None:
    prefix = notify.db.name.removesuffix("notify")
    await made(notify, receiver.url)
    async with running_service("notify", servers, issuer, nats_url, database_prefix=prefix, **SETTINGS) as other:
        await made(other, receiver.url + "?second")
        ids = await tell(notify.nats_url, *(result_withdrawn() for _ in range(10)))
        await came(receiver, 20)
        got = [(one.path, one.headers["webhook-id"]) for one in receiver.received]
        assert sorted(got) == sorted((path, one) for one in ids for path in ("/hook", "/hook?second"))
        # The one that sends goes away.
        lease = await notify.db["leases"].find_one({"_id": "webhooks"})
        assert lease
        await notify.db["leases"].update_one(
            {"_id": "webhooks"}, {"$set": {"holder": "nobody", "expires": lease["expires"]}}
        )
        later = await tell(notify.nats_url, result_withdrawn())
        found = await came(receiver, 22)
        assert [one.headers["webhook-id"] for one in found[20:]] == later * 2
        assert len(receiver.received) == 22


async def test_a_clock_that_is_off_is_told(notify: Running, receiver: Receiver) -> None:
    webhook = (await made(notify, receiver.url)).webhook
    receiver.reply = lambda _: (401, {"date": format_datetime(datetime.now(UTC) - timedelta(minutes=10), usegmt=True)})
    await tell(notify.nats_url, result_withdrawn())
    delivery = await tried(notify, webhook.id, 1)
    assert "the receiver's clock is 10 minutes behind ours" in delivery.tries[0].outcome
    found = await shown(notify, webhook.id)
    assert -602 <= found.clock_offset_seconds <= -598
    assert "10 minutes behind" in found.last_error


@pytest.mark.parametrize(
    "url",
    [
        "http://8.8.8.8/hook",
        "https://10.1.2.3/hook",
        "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:10.0.0.1]/hook",
        "https://[fd00::1]/hook",
        "https://user:word@a.example/hook",
        "ftp://a.example/hook",
    ],
)
async def test_nothing_is_sent_to_private_addresses_or_without_tls(notify: Running, url: str) -> None:
    refused = await refusal(made(notify, url))
    assert refused.kind is Kind.INVALID_ARGUMENT
    assert [one.field for one in refused.violations] == ["url"]


async def test_an_address_is_looked_at_again_when_it_is_connected_to(
    servers: Servers, issuer: Issuer, nats_url: str, receiver: Receiver
) -> None:
    async with running_service("notify", servers, issuer, nats_url, **SETTINGS) as first:
        prefix = first.db.name.removesuffix("notify")
        webhook = (await made(first, f"http://localhost:{receiver.port}/hook")).webhook
        # Another replica, which may not: whoever allowed it has taken it back.
        strict = {**SETTINGS, "webhook_networks": []}
        async with running_service("notify", servers, issuer, nats_url, database_prefix=prefix, **strict) as other:
            first.process.stopping.set()
            await first.process.finish()
            await tell(other.nats_url, result_withdrawn())
            delivery = await tried(other, webhook.id, 1)
            assert "is not a public address" in delivery.tries[0].outcome
            assert not receiver.received


async def test_subjects_that_no_fact_can_have_are_refused_each_by_name_and_so_is_one_too_many(
    notify: Running, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = await refusal(made(notify, receiver.url, subjects=["assessment.v1..x", "weather.v1.>", RESULTS]))
    assert [one.field for one in refused.violations] == ["subjects[0]", "subjects[1]"]
    monkeypatch.setattr(webhooks, "MOST", 1)
    await made(notify, receiver.url)
    assert (await refusal(made(notify, receiver.url))).reason == "TOO_MANY_WEBHOOKS"
    for role in ("operator", "assessor"):
        denied = await refusal(hooks(notify, role).ListWebhooks(pb.ListWebhooksRequest()))
        assert denied.kind is Kind.PERMISSION_DENIED
