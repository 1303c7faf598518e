"""A rehearsal's letters never reach the people of its roster: they go to a box of their own, or nowhere."""

import uuid
from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from livinglab.notify.v1 import service_pb2 as pb
from livinglab.notify.v1.service_pb2_grpc import NotifyServiceStub

from stack.issuer import Issuer
from stack.mailbox import mails
from stack.servers import Server, mailbox, mails_folder
from tests.harness.servers import Servers
from tests.harness.service import Running, running_service
from tests.harness.waiting import eventually


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Server]:
    server = mailbox(tmp_path / "box")
    await server.start()
    yield server
    await server.stop()


async def test_it_goes_to_the_box_of_rehearsals(servers: Servers, issuer: Issuer, nats_url: str, box: Server) -> None:
    async with running_service("notify", servers, issuer, nats_url, rehearsal_smtp_address=box.uri) as notify:
        rehearsed, real = await _delivered(notify, "a-rehearsal"), await _delivered(notify, "")
    assert _to(servers.mails, rehearsed) == []
    assert len(_to(mails_folder(box.data_dir), rehearsed)) == 1
    assert len(_to(servers.mails, real)) == 1
    assert _to(mails_folder(box.data_dir), real) == []


async def test_without_a_box_it_is_kept_and_sent_nowhere(servers: Servers, issuer: Issuer, nats_url: str) -> None:
    async with running_service("notify", servers, issuer, nats_url, rehearsal_smtp_address="") as notify:
        rehearsed, real = await _delivered(notify, "a-rehearsal"), await _delivered(notify, "")
    assert _to(servers.mails, rehearsed) == []
    assert len(_to(servers.mails, real)) == 1


async def _delivered(notify: Running, rehearsal: str) -> str:
    """The address of a message that notify says it has delivered."""
    email = f"wakil.{uuid.uuid4().hex[:12]}@sumedang.example"
    values = {
        "name": "Siti Rahayu",
        "institution_name": "Kabupaten Sumedang",
        "cohort_title": "Living Lab 2022",
        "phase_title": "Lokakarya",
        "sessions": "7 November 2022, Jatinangor",
        "missing": "",
        "deadline": "2022-11-13",
    }
    recipient = pb.Recipient(name="Siti Rahayu", email=email, language="id", institution="32.11")
    draft = pb.Draft(template="invitation", recipient=recipient, values=values)
    manager: Any = notify.as_role(NotifyServiceStub, "manager")
    request = pb.SendMessagesRequest(
        request_id=uuid.uuid4().hex, drafts=[draft], cohort_id=rehearsal or "a-cohort", rehearsal=rehearsal
    )
    [message_id] = (await manager.SendMessages(request)).message_ids

    async def delivered() -> bool:
        found = (await manager.GetMessage(pb.GetMessageRequest(message_id=message_id))).message
        return bool(found.state == pb.MESSAGE_STATE_DELIVERED)

    await eventually(delivered, timeout=20)
    return email


def _to(folder: Path, email: str) -> list[EmailMessage]:
    return [mail for mail in mails(folder) if mail["Delivered-To"] == email]
