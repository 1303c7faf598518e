"""TLS and mutual TLS between processes and to the servers, and certificates that are renewed while calls go on."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from cryptography import x509
from livinglab.assessment.v1 import service_pb2 as pb
from livinglab.assessment.v1.service_pb2_grpc import AssessmentServiceStub
from nats.errors import Error as NatsError

from chassis import rpc
from chassis.config import Settings
from chassis.events import facts, stream
from chassis.temporal import client as temporal_client
from chassis.tls import PLAIN, Tls
from stack import binaries
from stack.backup import streams
from stack.issuer import Issuer
from stack.ports import free_ports
from stack.process import Process
from tests.harness.authority import Authority
from tests.harness.servers import Servers
from tests.harness.service import Running, running_service
from tests.harness.waiting import eventually


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
async def assessment(
    servers: Servers, issuer: Issuer, nats_url: str, tmp_path: Path, authority: Authority
) -> AsyncIterator[Running]:
    authority.sign(tmp_path / "server", "assessment")
    settings: dict[str, Any] = {
        "tls_certificate": tmp_path / "server" / "tls.crt",
        "tls_key": tmp_path / "server" / "tls.key",
        "tls_authorities": authority.file,
        "tls_mutual": True,
    }
    async with running_service("assessment", servers, issuer, nats_url, **settings) as running:
        yield running


def client(tmp_path: Path, authority: Authority, signed_by: Authority | None = None) -> Tls:
    folder = tmp_path / "client"
    (signed_by or authority).sign(folder, "client")
    return Tls(folder / "tls.crt", folder / "tls.key", authority.file, mutual=True)


async def asked(assessment: Running, tls: Tls) -> bool:
    token = assessment.issuer.token("manager")
    async with rpc.channel(assessment.address, lambda: f"Bearer {token}", tls) as channel:
        return await _asked(channel)


async def _asked(channel: grpc.aio.Channel) -> bool:
    stub: Any = AssessmentServiceStub(channel)
    try:
        return bool((await stub.ListInstruments(pb.ListInstrumentsRequest(), timeout=20)).instruments)
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.UNAVAILABLE:
            raise
        return False


async def test_who_shows_a_certificate_of_ours_is_served_and_nobody_else(
    assessment: Running, tmp_path: Path, authority: Authority
) -> None:
    assert await asked(assessment, client(tmp_path, authority))
    assert not await asked(assessment, PLAIN)
    assert not await asked(assessment, Tls(authorities=authority.file))
    stranger = Authority(tmp_path / "stranger")
    assert not await asked(assessment, client(tmp_path, authority, signed_by=stranger))
    # A server that somebody else has signed for is not spoken to.
    assert not await asked(assessment, client(tmp_path, stranger, signed_by=authority))


async def test_certificates_are_renewed_under_load_without_a_restart(
    assessment: Running, tmp_path: Path, authority: Authority
) -> None:
    tls, token = client(tmp_path, authority), assessment.issuer.token("manager")
    answered = 0
    renewed = asyncio.Event()

    async def calls() -> None:
        nonlocal answered
        async with rpc.channel(assessment.address, lambda: f"Bearer {token}", tls) as channel:
            while not renewed.is_set():
                assert await _asked(channel)
                answered += 1

    calling = [asyncio.create_task(calls()) for _ in range(4)]
    await eventually(lambda: answered > 20)
    serial = authority.sign(tmp_path / "server", "assessment")
    authority.sign(tmp_path / "client", "client")

    async def shown() -> bool:
        return await _serial(assessment.address, tls) == serial

    await eventually(shown)
    before = answered
    await eventually(lambda: answered > before + 20)
    renewed.set()
    await asyncio.gather(*calling)


async def _serial(address: str, tls: Tls) -> int:
    """Of the certificate that the server shows to who connects now."""
    host, _, port = address.rpartition(":")
    context = tls.context()
    assert context is not None
    context.set_alpn_protocols(["h2"])
    _, writer = await asyncio.open_connection(host, int(port), ssl=context)
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    with contextlib.suppress(ssl.SSLError, ConnectionError):
        await writer.wait_closed()
    return x509.load_der_x509_certificate(shown).serial_number


def broker(tmp_path: Path, authority: Authority) -> tuple[Process, str]:
    """One that shows a certificate and asks for one, not started yet; and its address."""
    authority.sign(tmp_path / "server", "nats")
    [port] = free_ports(1)
    config = tmp_path / "nats.conf"
    config.write_text(
        f'listen: "127.0.0.1:{port}"\njetstream {{ store_dir: "{tmp_path}/nats" }}\n'
        f'tls {{ cert_file: "{tmp_path}/server/tls.crt", '
        f'key_file: "{tmp_path}/server/tls.key", ca_file: "{authority.file}", verify: true }}\n'
    )
    argv = [str(binaries.find(binaries.NATS_SERVER)), "--config", str(config)]
    return Process("nats-server", argv, log_path=tmp_path / "nats.log"), f"tls://127.0.0.1:{port}"


async def begin(server: Process) -> None:
    await server.start()
    await server.wait_for_line("Server is ready", timeout=60)


async def test_the_broker_comes_back_with_another_authority_and_its_clients_go_on_without_a_restart(
    tmp_path: Path, authority: Authority
) -> None:
    server, url = broker(tmp_path, authority)
    ours = client(tmp_path, authority)
    told = 0
    over = asyncio.Event()
    try:
        await begin(server)
        async with await stream.connect(url, "test", ours.context()) as nc:
            js = nc.jetstream()
            await js.add_stream(name="TOLD", subjects=["told.>"])

            async def one() -> bool:
                return bool((await js.publish("told.it", headers={"Nats-Msg-Id": str(told)}, timeout=2)).seq)

            async def tell() -> None:
                nonlocal told
                while not over.is_set():
                    await eventually(one, ignoring=(NatsError, TimeoutError, OSError), timeout=60)
                    told += 1

            telling = asyncio.create_task(tell())
            await eventually(lambda: told > 20)
            # Everything is signed by somebody else from now on.
            other = Authority(tmp_path / "other")
            other.sign(tmp_path / "server", "nats")
            other.sign(tmp_path / "client", "client")
            authority.file.write_bytes(other.file.read_bytes())
            await server.kill()
            await begin(server)
            before = told
            await eventually(lambda: told > before + 20, timeout=60)
            over.set()
            await telling
            assert (await js.stream_info("TOLD")).state.messages == told
    finally:
        await server.kill()


async def test_the_broker_is_spoken_to_by_tls_and_believed_only_with_a_certificate_of_ours(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It asks for one too."""
    server, url = broker(tmp_path, authority)
    try:
        await begin(server)
        ours = client(tmp_path, authority)
        async with await stream.connect(url, "test", ours.context()) as nc:
            assert (await nc.rtt()) > 0
        # A command goes by the same settings, as the environment says them.
        for setting in ("certificate", "key", "authorities", "mutual"):
            monkeypatch.setenv(f"LIVINGLAB_TLS_{setting.upper()}", str(getattr(ours, setting)))
        async with facts.connected(url) as nc:
            assert (await nc.rtt()) > 0
        assert not await streams.any_there(url)
        stranger = Authority(tmp_path / "stranger")
        for refused in (
            Tls(authorities=authority.file),
            Tls(authorities=stranger.file),
            client(tmp_path, authority, signed_by=stranger),
        ):
            with pytest.raises((OSError, NatsError, TimeoutError)):
                await stream.connect(url, "test", refused.context())
    finally:
        await server.kill()


async def test_temporal_is_spoken_to_by_tls_as_the_settings_say(
    servers: Servers, tmp_path: Path, authority: Authority
) -> None:
    """The development server speaks plainly: what stands before it does not."""
    authority.sign(tmp_path / "server", "temporal")
    authority.sign(tmp_path / "client", "program")
    secured = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secured.load_cert_chain(tmp_path / "server" / "tls.crt", tmp_path / "server" / "tls.key")
    secured.load_verify_locations(authority.file)
    secured.verify_mode = ssl.CERT_REQUIRED
    secured.set_alpn_protocols(["h2"])
    carrying = Carrying(servers.temporal_address)
    server = await asyncio.start_server(carrying.talk, "127.0.0.1", 0, ssl=secured)
    address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    shown: dict[str, Any] = {
        "tls_certificate": tmp_path / "client" / "tls.crt",
        "tls_key": tmp_path / "client" / "tls.key",
        "tls_authorities": authority.file,
        "tls_mutual": True,
    }
    async with server:
        right = Settings(temporal_tls=True, temporal_tls_authorities=authority.file, **shown)
        found = await temporal_client.connect(address, "default", temporal_client.tls(right))
        assert await found.service_client.check_health()
        stranger = Authority(tmp_path / "stranger")
        for wrong in (
            Settings(**shown),
            Settings(temporal_tls=True, temporal_tls_authorities=authority.file),
            Settings(temporal_tls=True, temporal_tls_authorities=stranger.file, **shown),
        ):
            with pytest.raises(RuntimeError):
                await temporal_client.connect(address, "default", temporal_client.tls(wrong))
        await carrying.end()


class Carrying:
    """Carries what comes to an address, until `end`."""

    def __init__(self, address: str) -> None:
        self._host, _, self._port = address.rpartition(":")
        self._talks: set[asyncio.Task[Any]] = set()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._talks.add(task)
        there, back = await asyncio.open_connection(self._host, int(self._port))
        ways = [asyncio.create_task(_carry(reader, back)), asyncio.create_task(_carry(there, writer))]
        try:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for one in (writer, back):
                one.transport.abort()
                with contextlib.suppress(ssl.SSLError, OSError):
                    await one.wait_closed()
            self._talks.discard(task)

    async def end(self) -> None:
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()


def test_half_of_what_belongs_together_is_refused(tmp_path: Path) -> None:
    for halves in ((tmp_path / "one.pem", None), (None, tmp_path / "one.pem")):
        with pytest.raises(ValueError, match="together"):
            Tls(*halves)
    with pytest.raises(ValueError, match="authorities"):
        Tls(tmp_path / "a", tmp_path / "b", mutual=True)
