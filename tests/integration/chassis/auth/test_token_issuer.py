"""The issuer of tokens hangs, lies, changes its keys or has another clock: who shows a known key never waits."""

import asyncio
import base64
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey
from livinglab.common.v1 import options_pb2

from chassis import auth
from chassis.auth import keys as issued
from chassis.config import Settings
from chassis.errors import Kind, Refused
from tests.harness.waiting import eventually

ISSUER = "https://login.example"


class Provider:
    """An issuer of tokens whose key set is behind HTTP."""

    def __init__(self) -> None:
        self.key = ECKey.generate_key("P-256", auto_kid=True)
        self.content = b""
        self.asked = 0
        self.answering = threading.Event()
        self.answering.set()
        self.url = ""
        self.publish(self.key)

    def publish(self, *keys: ECKey) -> None:
        self.content = json.dumps({"keys": [key.as_dict(private=False) for key in keys]}).encode()

    def token(self, key: ECKey | None = None, /, **claims: Any) -> str:
        now = int(time.time())
        body = {"iss": ISSUER, "aud": "livinglab", "sub": "dewi", "iat": now, "exp": now + 600, **claims}
        body.setdefault("roles", ["operator"])
        signing = key or self.key
        return "Bearer " + jwt.encode({"alg": "ES256", "kid": signing.kid}, body, signing)


@pytest.fixture
def provider() -> Iterator[Provider]:
    provider = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            provider.asked += 1
            provider.answering.wait(30)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(provider.content)

        def log_message(self, *arguments: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.url = f"http://127.0.0.1:{server.server_port}/jwks"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield provider
    provider.answering.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def verifier(provider: Provider) -> auth.Verifier:
    return verifying(provider)


def verifying(provider: Provider, **settings: Any) -> auth.Verifier:
    return auth.verifier(Settings(jwks_url=provider.url, token_issuer=ISSUER, **settings))


async def refusal(verifier: auth.Verifier, authorization: str) -> Refused:
    with pytest.raises(Refused) as raised:
        await verifier.identify(authorization)
    return raised.value


async def test_an_issuer_that_hangs_delays_nobody_whose_key_is_known(
    verifier: auth.Verifier, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    await verifier.identify(provider.token())
    monkeypatch.setattr(issued, "_REFETCH_SECONDS", 0.0)
    provider.answering.clear()
    stranger = ECKey.generate_key("P-256", auto_kid=True)
    garbage = [asyncio.create_task(refusal(verifier, provider.token(stranger, sub=str(n)))) for n in range(20)]
    await eventually(lambda: provider.asked == 2)
    started = time.perf_counter()
    for n in range(50):
        await verifier.identify(provider.token(sub=f"person-{n}"))
    assert time.perf_counter() - started < 1
    assert not any(task.done() for task in garbage)
    provider.answering.set()
    # All of them waited for one answer.
    assert {(await task).reason for task in garbage} == {"BAD_TOKEN"}
    assert provider.asked == 2


async def test_an_issuer_that_does_not_answer_is_asked_once_and_remembered(
    verifier: auth.Verifier, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issued, "_FETCH_SECONDS", 0.2)
    monkeypatch.setattr(issued, "_FIRST_SECONDS", 30.0)
    provider.answering.clear()
    refusals = await asyncio.gather(*(refusal(verifier, provider.token(sub=str(n))) for n in range(10)))
    assert {refused.kind for refused in refusals} == {Kind.UNAVAILABLE}
    assert (await refusal(verifier, provider.token())).kind is Kind.UNAVAILABLE
    assert provider.asked == 1


async def test_a_new_key_counts_at_once(
    verifier: auth.Verifier, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    await verifier.identify(provider.token())
    monkeypatch.setattr(issued, "_REFETCH_SECONDS", 0.0)
    rotated = ECKey.generate_key("P-256", auto_kid=True)
    provider.publish(provider.key, rotated)
    assert (await verifier.identify(provider.token(rotated))).subject == "dewi"


async def test_a_key_that_the_issuer_took_back_is_trusted_no_longer_than_the_settings_say(provider: Provider) -> None:
    verifier = verifying(provider, key_refresh_seconds=0.05)
    held = provider.token()
    await verifier.identify(held)
    provider.publish(ECKey.generate_key("P-256", auto_kid=True))

    async def gone() -> bool:
        try:
            await verifier.identify(held)
        except Refused as refused:
            return refused.reason == "BAD_TOKEN"
        return False

    await eventually(gone)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"7", b'{"keys": 1}', b'{"keys": [{"kty": "EC"}]}', b'{"keys": [7]}', b"[" * 100_000]
)
async def test_a_set_of_keys_that_is_none_is_an_issuer_that_does_not_answer(
    verifier: auth.Verifier, provider: Provider, content: bytes
) -> None:
    provider.content = content
    assert (await refusal(verifier, provider.token())).kind is Kind.UNAVAILABLE


@pytest.mark.parametrize("claim", ["iat", "nbf"])
async def test_the_issuers_clock_may_be_ahead_by_the_leeway(provider: Provider, claim: str) -> None:
    now = int(time.time())
    verifier = verifying(provider, token_leeway_seconds=10)
    assert (await verifier.identify(provider.token(**{claim: now + 5}))).subject == "dewi"
    assert (await refusal(verifier, provider.token(**{claim: now + 60}))).reason == "BAD_CLAIMS"
    strict = verifying(provider, token_leeway_seconds=0)
    assert (await refusal(strict, provider.token(**{claim: now + 5}))).reason == "BAD_CLAIMS"


async def test_the_issuers_clock_may_be_behind_by_the_leeway(provider: Provider) -> None:
    now = int(time.time())
    verifier = verifying(provider, token_leeway_seconds=10)
    assert (await verifier.identify(provider.token(exp=now - 5))).subject == "dewi"
    assert (await refusal(verifier, provider.token(exp=now - 60))).reason == "BAD_CLAIMS"


@pytest.mark.parametrize("expires", [10**9, 10**400, 1.7e308])
async def test_no_token_holds_for_ever(verifier: auth.Verifier, provider: Provider, expires: float) -> None:
    refused = await refusal(verifier, provider.token(exp=int(time.time()) + int(expires)))
    assert (refused.kind, refused.reason) == (Kind.UNAUTHENTICATED, "LONG_LIVED")
    backdated = provider.token(iat=-(10**400), exp=int(time.time()) + 600)
    assert (await refusal(verifier, backdated)).reason == "LONG_LIVED"


def _token(*parts: str) -> str:
    encoded = [base64.urlsafe_b64encode(part.encode()).rstrip(b"=").decode() for part in parts]
    return "Bearer " + ".".join([*encoded, "c2ln"])


_DEEP = "[" * 5_000 + "]" * 5_000


@pytest.mark.parametrize(
    "authorization",
    [
        _token(_DEEP, _DEEP),
        _token('{"alg": "ES256", "kid": ' + _DEEP + "}", "{}"),
        _token('{"alg": "none"}', "{}"),
        _token('{"alg": ["ES256"]}', "7"),
        "Bearer a.b.c.d.e",
        "Bearer ..",
        "Bearer \x7f",
    ],
    ids=["deep", "deep-key", "unsigned", "no-claims", "encrypted", "empty", "control"],
)
async def test_bytes_that_are_no_token_are_refused_as_that(verifier: auth.Verifier, authorization: str) -> None:
    refused = await refusal(verifier, authorization)
    assert (refused.kind, refused.reason) == (Kind.UNAUTHENTICATED, "BAD_TOKEN")


async def test_a_persons_token_makes_nobody_a_process_where_a_cluster_signs_for_those(provider: Provider) -> None:
    shown = provider.token(roles=["system", "operator"])
    alone = await verifying(provider).identify(shown)
    assert options_pb2.ROLE_SYSTEM in alone.roles
    beside = await verifying(provider, workload_issuer="https://cluster", workload_jwks_url=provider.url).identify(
        shown
    )
    assert beside.roles == {options_pb2.ROLE_OPERATOR}
