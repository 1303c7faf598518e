"""Bearer tokens: checks who signed them, reads what they claim, and remembers valid ones until they expire."""

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
    """Checks the tokens of people, and those of pods where the cluster signs tokens for them. A valid token is
    remembered until it expires or the issuer's keys change, so its signature is checked once and not on every call."""

    def __init__(self, settings: Settings, workloads: "Workloads | None" = None) -> None:
        self._workloads = workloads
        self._tokens = _Tokens(settings, settings.jwks_url, settings.token_issuer, self._forget)
        self._known: dict[str, Identity] = {}

    async def identify(self, authorization: str) -> Identity:
        """The identity behind an authorization header. UNAUTHENTICATED says what is wrong with it; UNAVAILABLE where
        the issuer would have to be asked for its keys and does not answer."""
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
            # The role `system` is for tokens that the cluster has signed: a person's token never gives it.
            identity = await self._tokens.identity(token)
            identity = replace(identity, roles=identity.roles - _SYSTEM)
        _remember(self._known, authorization, identity)
        return identity

    def _forget(self) -> None:
        self._known.clear()


class Workloads:
    """Tokens that the cluster signs for its pods. They carry no roles: a pod under one of our service accounts is a
    process of this system and gets the role `system`."""

    def __init__(self, settings: Settings) -> None:
        self.issuer = settings.workload_issuer
        self._subjects = settings.workload_subjects
        self._known: dict[str, Identity] = {}
        self._tokens = _Tokens(settings, settings.workload_jwks_url, self.issuer, self._known.clear)

    async def identify(self, authorization: str, token: str) -> Identity:
        """The pod behind the token; UNAUTHENTICATED (STRANGER) where its account is not one of ours."""
        self._tokens.refresh()
        known = self._known.get(authorization)
        if known is not None and known.expires > time.time():
            return known
        identity = await self._tokens.identity(token)
        if not self._subjects or not identity.subject.startswith(self._subjects):
            raise unauthenticated("STRANGER", f"{identity.subject} is no process of this system")
        identity = replace(identity, roles=_SYSTEM, institution="", agency="")
        _remember(self._known, authorization, identity)
        return identity


def verifier(settings: Settings) -> Verifier:
    """A verifier as the settings say. Pods' tokens are taken only where the settings name a cluster's issuer."""
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
        self._agency_claim = settings.agency_claim
        self._role_names = settings.role_names
        self._claims = jwt.JWTClaimsRegistry(
            leeway=settings.token_leeway_seconds,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": settings.token_audience},
            sub={"essential": True},
            exp={"essential": True},
        )

    def refresh(self) -> None:
        """Starts a refresh of the keys if one is due, and does not wait for it."""
        self._issued.known()

    async def identity(self, token: str) -> Identity:
        keys = self._issued.known()
        name = _part(token, 0).get("kid")
        claims = _decoded(token, keys)
        if claims is None and (keys is None or not isinstance(name, str) or name not in keys.names):
            # The issuer may use a new key by now, so it is asked. If the token names a key that is known, its signature
            # is simply wrong, and asking would not help.
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
        institution, agency = _at(claims, self._institution_claim), _at(claims, self._agency_claim)
        return Identity(
            subject=str(claims["sub"]),
            roles=frozenset(self._roles(_at(claims, self._roles_claim))),
            institution=institution if isinstance(institution, str) else "",
            expires=float(expires) + self._leeway,
            agency=agency if isinstance(agency, str) else "",
        )

    def _roles(self, names: object) -> Iterator[int]:
        """The roles among the claim's names that this system knows; other names are ignored."""
        for name in names if isinstance(names, list) else []:
            number = role_number(self._role_names.get(name, name)) if isinstance(name, str) else None
            if number:
                yield number

    def _require_short(self, claims: dict[str, object]) -> None:
        """LONG_LIVED for a token that holds for longer than the settings allow: a token cannot be revoked before it
        expires."""
        now = time.time()
        expires, issued = claims["exp"], claims.get("iat", now)
        assert isinstance(expires, int | float)
        assert isinstance(issued, int | float)
        # Compared first: `iat` may be a number of any size, and arithmetic with it could overflow.
        since = now if issued > now else max(issued, 0)
        if expires > since + self._longest + self._leeway:
            raise unauthenticated("LONG_LIVED", f"a token may hold for {self._longest:.0f} seconds, this one is longer")


def _decoded(token: str, keys: Keys | None) -> dict[str, object] | None:
    """The claims, if one of the keys has signed the token; None otherwise."""
    if keys is None:
        return None
    try:
        claims = jwt.decode(token, keys.found, algorithms=_ALGORITHMS).claims
    # Anybody may send any bytes, and the decoder fails in many ways: each means that the token is not valid.
    except (JoseError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    return claims if isinstance(claims, dict) else None


def _part(token: str, n: int) -> dict[str, object]:
    """The header (0) or the claims (1) of a token before its signature is checked; empty where they cannot be read.
    Used only to choose the keys that it is checked with."""
    try:
        part = token.split(".")[n]
        found = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, LookupError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _at(claims: object, path: str) -> object:
    """The claim of that name, or the one that a path with dots leads to: realm_access.roles. None where there is
    none."""
    if not isinstance(claims, dict):
        return None
    if path in claims:
        return claims[path]
    head, _, rest = path.partition(".")
    return _at(claims.get(head), rest) if rest else None
