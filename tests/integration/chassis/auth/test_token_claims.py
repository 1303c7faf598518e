"""Where a token says who somebody is: by a path, and under an issuer's own names."""

import time
from typing import Any

import pytest
from livinglab.common.v1 import options_pb2

from chassis import auth
from chassis.config import Settings
from stack.issuer import AUDIENCE, ISSUER, Issuer

CLAIMS = {
    "sub": "somebody",
    "realm_access": {"roles": ["offline_access", "pemda-operator", "coach", 7]},
    "https://lab.example/region": "32.11",
    "org": {"code": "33.74"},
}


async def identified(issuer: Issuer, **settings: Any) -> auth.Identity:
    told = Settings(jwks_url=issuer.jwks_url, token_issuer=ISSUER, token_audience=AUDIENCE, **settings)
    now = int(time.time())
    token = issuer.signed({**CLAIMS, "iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + 60})
    return await auth.verifier(told).identify(f"Bearer {token}")


@pytest.mark.parametrize(
    ("path", "institution"),
    [("https://lab.example/region", "32.11"), ("org.code", "33.74"), ("org", ""), ("org.code.more", ""), ("none", "")],
)
async def test_roles_and_institution_are_where_the_settings_say(issuer: Issuer, path: str, institution: str) -> None:
    names = {"pemda-operator": "operator"}
    found = await identified(issuer, roles_claim="realm_access.roles", institution_claim=path, role_names=names)
    assert found.roles == {options_pb2.ROLE_OPERATOR, options_pb2.ROLE_COACH}
    assert found.institution == institution


async def test_a_path_that_leads_nowhere_gives_no_role(issuer: Issuer) -> None:
    assert (await identified(issuer)).roles == frozenset()
