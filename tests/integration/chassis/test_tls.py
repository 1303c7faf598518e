"""TLS and mutual TLS between processes, and certificates that are renewed while calls go on."""

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

from chassis import rpc
from chassis.tls import PLAIN, Tls
from stack.issuer import Issuer
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


def test_half_of_what_belongs_together_is_refused(tmp_path: Path) -> None:
    for halves in ((tmp_path / "one.pem", None), (None, tmp_path / "one.pem")):
        with pytest.raises(ValueError, match="together"):
            Tls(*halves)
    with pytest.raises(ValueError, match="authorities"):
        Tls(tmp_path / "a", tmp_path / "b", mutual=True)
