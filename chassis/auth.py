"""Who calls, and whether they may: bearer tokens checked against a JWKS, policies declared in the protos."""

import asyncio
import base64
import json
import time
import urllib.request
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path

from google.protobuf.descriptor import MethodDescriptor
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from livinglab.common.v1 import options_pb2

from chassis.config import Settings
from chassis.errors import denied, unauthenticated, unavailable

_ALGORITHMS = ["RS256", "ES256", "EdDSA"]
_REFETCH_SECONDS = 10.0
_CACHED_TOKENS = 10_000
_ROLES = {label.removeprefix("ROLE_").lower(): number for label, number in options_pb2.Role.items() if number}
_BOUND_ROLES = frozenset(
    {options_pb2.ROLE_OPERATOR, options_pb2.ROLE_HEAD, options_pb2.ROLE_SECRETARY, options_pb2.ROLE_REGENT}
)


@dataclass(frozen=True)
class Identity:
    """What a valid token says."""

    subject: str
    roles: frozenset[int]
    institution: str
    expires: float


@dataclass
class Caller:
    """The identity behind the call that is being served."""

    identity: Identity
    # The roles that opened the method to it.
    admitted: frozenset[int]
    institution_checked: bool = field(default=False)

    @property
    def subject(self) -> str:
        """Who it is, for records."""
        return self.identity.subject

    @property
    def bound_to(self) -> str | None:
        """The one institution that this caller may reach here; None where there is no such bound. Who operates one
        institution and assesses others is bound wherever only the operator may call."""
        return self.identity.institution if self.admitted <= _BOUND_ROLES else None

    def require_institution(self, institution: str) -> None:
        """Refuses a region's user who touches another institution. Methods whose policy says
        own_institution call it for what they touch."""
        self.institution_checked = True
        bound = self.bound_to
        if bound is not None and bound != institution:
            raise denied("OTHER_INSTITUTION", f"{self.subject} acts for {bound or 'no institution'}, not {institution}")


_caller: ContextVar[Caller] = ContextVar("caller")


def caller() -> Caller:
    """The caller of the method that is running."""
    return _caller.get()


def actor(default: str) -> str:
    """The caller's subject, or `default` outside of a call."""
    found = _caller.get(None)
    return found.subject if found else default


def set_caller(identity: Identity, admitted: frozenset[int]) -> Caller:
    """Names the caller for the rest of this task."""
    found = Caller(identity, admitted)
    _caller.set(found)
    return found


def policy_of(method: MethodDescriptor) -> options_pb2.Policy:
    """The declared policy of a method; TypeError where there is none, so that it cannot be served."""
    options = method.GetOptions()
    if not options.HasExtension(options_pb2.policy) or not options.Extensions[options_pb2.policy].roles:
        raise TypeError(f"{method.full_name} declares no policy")
    return options.Extensions[options_pb2.policy]


def require_role(identity: Identity, allowed: frozenset[int], method: str) -> frozenset[int]:
    """The roles of the caller that are allowed; refuses who has none of them."""
    admitted = identity.roles & allowed
    if not admitted:
        names = ", ".join(sorted(role_name(role) for role in allowed))
        raise denied("ROLE", f"{method} is for {names}")
    return admitted


def role_name(role: int) -> str:
    """manager, operator ..."""
    return options_pb2.Role.Name(options_pb2.Role.ValueType(role)).removeprefix("ROLE_").lower()


def role_number(name: str) -> int | None:
    """The role of that name, or None."""
    return _ROLES.get(name)


class Verifier:
    """Checks tokens. Keys are fetched once and again when an unknown key id appears; valid tokens are
    remembered until they expire, so that a signature is checked once and not on every call."""

    def __init__(self, jwks_url: str, issuer: str, audience: str, workloads: "Workloads | None" = None) -> None:
        self._url = jwks_url
        self._workloads = workloads
        self._claims = jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            sub={"essential": True},
            exp={"essential": True},
        )
        self._keys: KeySet | None = None
        self._fetched = 0.0
        self._known: dict[str, Identity] = {}
        self._fetching = asyncio.Lock()

    async def identify(self, authorization: str) -> Identity:
        """The identity behind an authorization header; UNAUTHENTICATED says what is wrong with it."""
        known = self._known.get(authorization)
        if known is not None and known.expires > time.time():
            return known
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise unauthenticated("NO_TOKEN", "send a bearer token: authorization: Bearer ...")
        if self._workloads is not None and _issuer_of(token) == self._workloads.issuer:
            identity = await self._workloads.identify(authorization)
        else:
            identity = await self._verified(token.strip())
        if len(self._known) >= _CACHED_TOKENS:
            self._known.clear()
        self._known[authorization] = identity
        return identity

    async def _verified(self, token: str) -> Identity:
        keys = await self._current_keys(fresh=False)
        try:
            decoded = jwt.decode(token, keys, algorithms=_ALGORITHMS)
        except (JoseError, ValueError):
            # A new key may have been put into use since.
            keys = await self._current_keys(fresh=True)
            try:
                decoded = jwt.decode(token, keys, algorithms=_ALGORITHMS)
            except (JoseError, ValueError) as error:
                raise unauthenticated("BAD_TOKEN", "the token is not one of ours") from error
        try:
            self._claims.validate(decoded.claims)
        except JoseError as error:
            raise unauthenticated("BAD_CLAIMS", f"the token does not hold: {error}") from error
        return _identity(decoded.claims)

    async def _current_keys(self, *, fresh: bool) -> KeySet:
        async with self._fetching:
            stale = self._keys is None or (fresh and time.monotonic() - self._fetched > _REFETCH_SECONDS)
            if stale:
                try:
                    self._keys = await asyncio.to_thread(_fetch, self._url)
                except (OSError, ValueError) as error:
                    raise unavailable("the token issuer") from error
                self._fetched = time.monotonic()
            assert self._keys is not None
            return self._keys


class Workloads:
    """Tokens that a cluster signs for its pods. They carry no roles: who runs under one of our accounts is another
    process of this system."""

    def __init__(self, jwks_url: str, issuer: str, audience: str, subjects: str) -> None:
        self.issuer = issuer
        self._subjects = subjects
        self._verifier = Verifier(jwks_url, issuer, audience)

    async def identify(self, authorization: str) -> Identity:
        """The process behind the token; UNAUTHENTICATED where it is a stranger."""
        identity = await self._verifier.identify(authorization)
        if not self._subjects or not identity.subject.startswith(self._subjects):
            raise unauthenticated("STRANGER", f"{identity.subject} is no process of this system")
        return replace(identity, roles=frozenset({options_pb2.ROLE_SYSTEM}), institution="")


def verifier(settings: Settings) -> Verifier:
    """Checks tokens as the settings say; those of a cluster only where they name one."""
    workloads = None
    if settings.workload_issuer:
        workloads = Workloads(
            settings.workload_jwks_url, settings.workload_issuer, settings.token_audience, settings.workload_subjects
        )
    return Verifier(settings.jwks_url, settings.token_issuer, settings.token_audience, workloads)


def _issuer_of(token: str) -> str:
    """Who a token says has signed it; decides whose keys it is checked with, and nothing else."""
    try:
        payload = token.strip().split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return str(claims["iss"])
    except (ValueError, LookupError, TypeError):
        return ""


def _fetch(url: str) -> KeySet:
    with urllib.request.urlopen(url, timeout=5) as response:
        return KeySet.import_key_set(json.load(response))


def _identity(claims: dict[str, object]) -> Identity:
    names = claims.get("roles")
    numbers = {role_number(name) for name in names if isinstance(name, str)} if isinstance(names, list) else set()
    expires = claims["exp"]
    assert isinstance(expires, int | float)
    return Identity(
        subject=str(claims["sub"]),
        roles=frozenset(number for number in numbers if number),
        institution=str(claims.get("institution", "")),
        expires=float(expires),
    )


class TokenFile:
    """This process's own token, read again when the file changes."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._stamp = 0
        self._header = ""

    def authorization(self) -> str:
        """The header to send; empty where no file is configured."""
        if self._path is None:
            return ""
        try:
            stamp = self._path.stat().st_mtime_ns
            if stamp != self._stamp:
                self._header = f"Bearer {self._path.read_text().strip()}"
                self._stamp = stamp
        except OSError as error:
            raise unavailable(f"the token file {self._path.name}") from error
        return self._header
