"""Bearer tokens: whose signature they carry, what they claim, and how long that is believed."""

import base64
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from joserfc import jwt
from joserfc.errors import JoseError
from livinglab.common.v1 import options_pb2

from chassis.auth.identity import Identity, role_number
from chassis.auth.keys import Issued, Keys
from chassis.config import Settings
from chassis.errors import unauthenticated

_ALGORITHMS = ["RS256", "ES256", "EdDSA"]
_CACHED_TOKENS = 10_000
_SYSTEM = frozenset({options_pb2.ROLE_SYSTEM})


class Verifier:
    """Checks the tokens of people, and those of pods where a cluster signs them. A valid token is remembered until it
    expires or the issuer's keys change, so that a signature is checked once and not on every call."""

    def __init__(self, settings: Settings, workloads: "Workloads | None" = None) -> None:
        self._workloads = workloads
        self._tokens = _Tokens(settings, settings.jwks_url, settings.token_issuer, self._forget)
        self._known: dict[str, Identity] = {}

    async def identify(self, authorization: str) -> Identity:
        """The identity behind an authorization header; UNAUTHENTICATED says what is wrong with it, UNAVAILABLE where
        its issuer would have to be asked and does not answer."""
        self._tokens.refresh()
        known = self._known.get(authorization)
        if known is not None and known.expires > time.time():
            return known
        scheme, _, token = authorization.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise unauthenticated("NO_TOKEN", "send a bearer token: authorization: Bearer ...")
        if self._workloads is None:
            identity = await self._tokens.identity(token)
        elif _part(token, 1).get("iss") == self._workloads.issuer:
            return await self._workloads.identify(authorization, token)
        else:
            # Processes show what their cluster signed; a person's token makes nobody one of them.
            identity = await self._tokens.identity(token)
            identity = replace(identity, roles=identity.roles - _SYSTEM)
        _remember(self._known, authorization, identity)
        return identity

    def _forget(self) -> None:
        self._known.clear()


class Workloads:
    """Tokens that a cluster signs for its pods. They carry no roles: who runs under one of our accounts is another
    process of this system."""

    def __init__(self, settings: Settings) -> None:
        self.issuer = settings.workload_issuer
        self._subjects = settings.workload_subjects
        self._known: dict[str, Identity] = {}
        self._tokens = _Tokens(settings, settings.workload_jwks_url, self.issuer, self._known.clear)

    async def identify(self, authorization: str, token: str) -> Identity:
        """The process behind the token; UNAUTHENTICATED where it is a stranger."""
        self._tokens.refresh()
        known = self._known.get(authorization)
        if known is not None and known.expires > time.time():
            return known
        identity = await self._tokens.identity(token)
        if not self._subjects or not identity.subject.startswith(self._subjects):
            raise unauthenticated("STRANGER", f"{identity.subject} is no process of this system")
        identity = replace(identity, roles=_SYSTEM, institution="")
        _remember(self._known, authorization, identity)
        return identity


def verifier(settings: Settings) -> Verifier:
    """Checks tokens as the settings say; those of a cluster only where they name one."""
    return Verifier(settings, Workloads(settings) if settings.workload_issuer else None)


def _remember(known: dict[str, Identity], authorization: str, identity: Identity) -> None:
    if len(known) >= _CACHED_TOKENS:
        known.clear()
    known[authorization] = identity


class _Tokens:
    """The tokens of one issuer."""

    def __init__(self, settings: Settings, url: str, issuer: str, changed: Callable[[], None]) -> None:
        self._issued = Issued(url, settings.key_refresh_seconds, changed)
        self._leeway = settings.token_leeway_seconds
        self._longest = settings.token_longest_seconds
        self._roles_claim = settings.roles_claim
        self._institution_claim = settings.institution_claim
        self._role_names = settings.role_names
        self._claims = jwt.JWTClaimsRegistry(
            leeway=settings.token_leeway_seconds,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": settings.token_audience},
            sub={"essential": True},
            exp={"essential": True},
        )

    def refresh(self) -> None:
        """Has the keys asked for anew where that is due; waits for nothing."""
        self._issued.known()

    async def identity(self, token: str) -> Identity:
        keys = self._issued.known()
        name = _part(token, 0).get("kid")
        claims = _decoded(token, keys)
        if claims is None and (keys is None or not isinstance(name, str) or name not in keys.names):
            # A new key may have been put into use since. With a key that is known, the signature is wrong.
            claims = _decoded(token, await self._issued.after(keys))
        if claims is None:
            raise unauthenticated("BAD_TOKEN", "the token is not one of ours")
        try:
            self._claims.validate(claims)
        except JoseError as error:
            raise unauthenticated("BAD_CLAIMS", f"the token does not hold: {error}") from error
        self._require_short(claims)
        return self._identity(claims)

    def _identity(self, claims: dict[str, object]) -> Identity:
        expires = claims["exp"]
        assert isinstance(expires, int | float)
        institution = _at(claims, self._institution_claim)
        return Identity(
            subject=str(claims["sub"]),
            roles=frozenset(self._roles(_at(claims, self._roles_claim))),
            institution=institution if isinstance(institution, str) else "",
            expires=float(expires) + self._leeway,
        )

    def _roles(self, names: object) -> Iterator[int]:
        """Our roles among what the issuer calls them; others say nothing to us."""
        for name in names if isinstance(names, list) else []:
            number = role_number(self._role_names.get(name, name)) if isinstance(name, str) else None
            if number:
                yield number

    def _require_short(self, claims: dict[str, object]) -> None:
        """Until it expires nobody can take a token back."""
        now = time.time()
        expires, issued = claims["exp"], claims.get("iat", now)
        assert isinstance(expires, int | float)
        assert isinstance(issued, int | float)
        # A number of any size is compared before it is reckoned with.
        since = now if issued > now else max(issued, 0)
        if expires > since + self._longest + self._leeway:
            raise unauthenticated("LONG_LIVED", f"a token may hold for {self._longest:.0f} seconds, this one is longer")


def _decoded(token: str, keys: Keys | None) -> dict[str, object] | None:
    """What the token claims if one of the keys has signed it."""
    if keys is None:
        return None
    try:
        claims = jwt.decode(token, keys.found, algorithms=_ALGORITHMS).claims
    # What can be wrong with bytes that anybody may send has no end; none of it is an error of ours.
    except (JoseError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    return claims if isinstance(claims, dict) else None


def _part(token: str, n: int) -> dict[str, object]:
    """The header (0) or the claims (1) as a token says them itself, unproven; empty where they cannot be read. They
    decide whose keys it is checked with, and nothing else."""
    try:
        part = token.split(".")[n]
        found = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, LookupError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _at(claims: object, path: str) -> object:
    """The claim of that name, which may hold dots itself; else the one that the path leads to. None where none is."""
    if not isinstance(claims, dict):
        return None
    if path in claims:
        return claims[path]
    head, _, rest = path.partition(".")
    return _at(claims.get(head), rest) if rest else None
