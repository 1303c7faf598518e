"""A pod shows the token that its cluster signed for it: one of ours is another process, anybody else is a stranger."""

import json
import time
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from livinglab.common.v1 import options_pb2

from chassis import auth
from chassis.config import Settings
from chassis.errors import Kind, Refused
from stack.issuer import AUDIENCE, ISSUER, Issuer

CLUSTER = "https://kubernetes.default.svc.cluster.local"
OURS = "system:serviceaccount:livinglab:"


@pytest.fixture(scope="module")
def key() -> RSAKey:
    return RSAKey.generate_key(2048, auto_kid=True)


@pytest.fixture
def verifier(tmp_path: Path, key: RSAKey, issuer: Issuer) -> auth.Verifier:
    keys = tmp_path / "processes.json"
    keys.write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
    return auth.verifier(
        Settings(
            jwks_url=issuer.jwks_url,
            token_issuer=ISSUER,
            token_audience=AUDIENCE,
            workload_issuer=CLUSTER,
            workload_jwks_url=keys.as_uri(),
            workload_subjects=OURS,
        )
    )


def shown(key: RSAKey, **claims: object) -> str:
    """The header with a token as a cluster makes it."""
    body = {"iss": CLUSTER, "aud": [AUDIENCE], "sub": OURS + "program-worker", "exp": int(time.time()) + 60, **claims}
    return "Bearer " + jwt.encode({"alg": "RS256", "kid": key.kid}, body, key)


async def refused(verifier: auth.Verifier, authorization: str) -> str:
    with pytest.raises(Refused) as raised:
        await verifier.identify(authorization)
    assert raised.value.kind is Kind.UNAUTHENTICATED
    return raised.value.reason


async def test_a_pod_of_ours_is_another_process(verifier: auth.Verifier, key: RSAKey) -> None:
    identity = await verifier.identify(shown(key))
    assert identity.subject == "system:serviceaccount:livinglab:program-worker"
    assert identity.roles == {options_pb2.ROLE_SYSTEM}


async def test_a_pod_of_somebody_else_is_a_stranger(verifier: auth.Verifier, key: RSAKey) -> None:
    assert await refused(verifier, shown(key, sub="system:serviceaccount:other:program-worker")) == "STRANGER"


async def test_a_pods_token_gives_no_role_that_it_names_itself(verifier: auth.Verifier, key: RSAKey) -> None:
    identity = await verifier.identify(shown(key, roles=["manager"], institution="32.11"))
    assert identity.roles == {options_pb2.ROLE_SYSTEM}
    assert identity.institution == ""


async def test_a_pods_token_for_others_or_from_the_past_or_forged_does_not_hold(
    verifier: auth.Verifier, key: RSAKey
) -> None:
    assert await refused(verifier, shown(key, aud=["kubernetes"])) == "BAD_CLAIMS"
    assert await refused(verifier, shown(key, exp=int(time.time()) - 60)) == "BAD_CLAIMS"
    forger = RSAKey.generate_key(2048, parameters={"kid": key.kid or ""})
    assert await refused(verifier, shown(forger)) == "BAD_TOKEN"
    # Signed by the cluster, said to be from the issuer of people's tokens.
    assert await refused(verifier, shown(key, iss=ISSUER, roles=["manager"])) == "BAD_TOKEN"


async def test_peoples_tokens_hold_beside_those_of_pods(verifier: auth.Verifier, issuer: Issuer) -> None:
    identity = await verifier.identify("Bearer " + issuer.token("operator", institution="32.11"))
    assert identity.roles == {options_pb2.ROLE_OPERATOR}
    assert identity.institution == "32.11"


async def test_without_a_named_cluster_no_pod_is_known(issuer: Issuer, key: RSAKey) -> None:
    plain = auth.verifier(Settings(jwks_url=issuer.jwks_url, token_issuer=ISSUER, token_audience=AUDIENCE))
    assert await refused(plain, shown(key)) == "BAD_TOKEN"
