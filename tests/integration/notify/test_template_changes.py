"""Managers change what people read: tried on a real letter first, versioned, never in a letter's way."""

import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from livinglab.notify.v1 import service_pb2 as pb
from livinglab.notify.v1 import template_service_pb2 as templates
from livinglab.notify.v1.service_pb2_grpc import NotifyServiceStub
from livinglab.notify.v1.template_service_pb2_grpc import TemplateServiceStub

from chassis.errors import Kind
from stack.issuer import Issuer
from tests.harness.command import answered, livinglab
from tests.harness.servers import Servers
from tests.harness.service import Running, refusal, running_service

NEW = "Rencana {{ institution_name }} kembali\n\nHalo {{ name }},\n\n{{ reason }}\n"
VALUES = {
    "name": "Siti <b>",
    "institution_name": "Kabupaten Sumedang",
    "cohort_title": "Lab",
    "reason": "Kurang {{ 1 }}",
}


@pytest.fixture
async def notify(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[Running]:
    async with running_service("notify", servers, issuer, nats_url) as running:
        yield running


async def write(notify: Running) -> pb.Message:
    email = f"{uuid.uuid4().hex[:12]}@sumedang.example"
    draft = pb.Draft(
        template="plan_returned", recipient=pb.Recipient(name="Siti", email=email, language="id"), values=VALUES
    )
    stub = notify.as_role(NotifyServiceStub, "manager")
    request = pb.SendMessagesRequest(request_id=uuid.uuid4().hex, drafts=[draft], cohort_id="c1")
    [message_id] = (await stub.SendMessages(request)).message_ids
    return (await stub.GetMessage(pb.GetMessageRequest(message_id=message_id))).message


def manager(notify: Running) -> Any:
    return notify.as_role(TemplateServiceStub, "manager")


def saving(source: str, version: int = 0, name: str = "plan_returned") -> templates.SaveTemplateRequest:
    return templates.SaveTemplateRequest(
        request_id=uuid.uuid4().hex, name=name, language="id", source=source, version=version
    )


async def test_a_change_is_tried_on_a_real_letter_then_letters_are_written_by_it(notify: Running) -> None:
    trying = templates.PreviewTemplateRequest(name="plan_returned", language="id", source=NEW)
    assert (await refusal(manager(notify).PreviewTemplate(trying))).kind is Kind.NOT_FOUND
    before = await write(notify)
    seen = await manager(notify).PreviewTemplate(trying)
    assert (seen.message_id, seen.subject) == (before.id, "Rencana Kabupaten Sumedang kembali")
    assert seen.body == "Halo Siti <b>,\n\nKurang {{ 1 }}\n"
    assert "Siti &lt;b&gt;" in seen.html
    assert (await write(notify)).subject == before.subject
    saved = (await manager(notify).SaveTemplate(saving(NEW))).template
    assert (saved.version, saved.source) == (1, NEW)
    assert (await write(notify)).subject == "Rencana Kabupaten Sumedang kembali"
    stale = await refusal(manager(notify).SaveTemplate(saving(NEW)))
    assert stale.kind is Kind.ABORTED
    again = (await manager(notify).SaveTemplate(saving(NEW + "Salam\n", version=1))).template
    assert again.version == 2
    first = templates.GetTemplateRequest(name="plan_returned", language="id", version=1)
    assert (await manager(notify).GetTemplate(first)).template.source == NEW
    listed = (await manager(notify).ListTemplates(templates.ListTemplatesRequest())).templates
    changed = [(one.name, one.language, one.version) for one in listed if one.version]
    assert changed == [("plan_returned", "id", 2)]


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("Rencana\n\n{{ reasons }}\n", "asks for reasons"),
        ("Rencana\n\n{% if reason %}\n", "line 3"),
        ("Rencana {{ name }}\n", "needs a subject"),
        ("Rencana\n\n{{ name.__class__.__mro__ }}\n", "unsafe"),
        ("Rencana\n\n{{ 1 / 0 }}\n", "division"),
    ],
)
async def test_a_source_that_no_letter_can_be_written_by_is_refused(notify: Running, source: str, told: str) -> None:
    refused = await refusal(manager(notify).SaveTemplate(saving(source)))
    assert refused.kind is Kind.INVALID_ARGUMENT
    assert [one.field for one in refused.violations] == ["source"]
    assert told in refused.violations[0].description
    assert await notify.db["templates"].count_documents({}) == 0


async def test_a_change_that_fails_on_a_letter_leaves_it_to_the_text_of_the_release(notify: Running) -> None:
    await manager(notify).SaveTemplate(saving("Rencana\n\n{{ 1 // (reason | length - 14) }} {{ name }}\n"))
    assert (await write(notify)).subject.startswith("Rencana aksi perlu diperbaiki")


async def test_templates_on_the_command_line(notify: Running, tmp_path: Path) -> None:
    here = {"token": notify.issuer.token("manager", subject="m1"), "notify": notify.address}
    await write(notify)
    file = tmp_path / "plan_returned.txt"
    file.write_text(NEW, encoding="utf-8")
    seen = await answered("notify", "template", "preview", "plan_returned", "--file", str(file), **here)
    assert seen["subject"] == "Rencana Kabupaten Sumedang kembali"
    saved = await answered("notify", "template", "save", "plan_returned", str(file), **here)
    assert (saved["version"], saved["changed_by"]) == (1, "m1")
    code, out, _ = await livinglab("notify", "template", "show", "plan_returned", **here)
    assert (code, out) == (0, NEW)
    assert len(await answered("notify", "template", "list", **here)) > 40
