"""Who is signed in. Tokens stay on the server; a browser holds only a random name for its session."""

import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass, field

from livinglab.common.v1 import options_pb2
from livinglab.program.v1 import service_pb2

COOKIE = "__Host-livinglab"
STARTED = "__Host-livinglab-start"
_IDLE_SECONDS = 8 * 3600.0
_START_SECONDS = 600.0
_MOST = 20_000
REGION_ROLES = frozenset(
    {options_pb2.ROLE_OPERATOR, options_pb2.ROLE_HEAD, options_pb2.ROLE_SECRETARY, options_pb2.ROLE_REGENT}
)


@dataclass
class Session:
    """One person in one browser."""

    token: str
    refresh: str
    # Of the access token, by the clock of this machine.
    expires: float
    subject: str
    roles: frozenset[int]
    institution: str
    # Of that institution, where somebody is of an agency.
    agency: str = ""
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    seen: float = field(default_factory=time.monotonic)
    # A launch that was checked and waits to be confirmed.
    launch: service_pb2.LaunchCohortRequest | None = None

    @property
    def csrf(self) -> str:
        """Stands in every form of this session, and in no other."""
        return hmac.new(self.secret, b"form", hashlib.sha256).hexdigest()

    def holds(self, given: str) -> bool:
        """Whether a form is one of ours."""
        return hmac.compare_digest(self.csrf, given)

    @property
    def of_platform(self) -> bool:
        """Whether the platform's pages are theirs."""
        return self.has(options_pb2.ROLE_PLATFORM)

    @property
    def sees_wall(self) -> bool:
        """Whether the command centre is theirs to look at."""
        return self.has(options_pb2.ROLE_MANAGER, options_pb2.ROLE_ASSESSOR, options_pb2.ROLE_COACH)

    @property
    def of_agency(self) -> bool:
        """Whether all that they see is what their institution has given to their agency."""
        return self.has(options_pb2.ROLE_AGENCY) and not self.has(*REGION_ROLES)

    @property
    def has_inbox(self) -> bool:
        """Whether anybody writes to them."""
        return self.sees_wall or self.has(*REGION_ROLES)

    def has(self, *roles: int) -> bool:
        """Whether the person has one of the roles."""
        return bool(self.roles & set(roles))


@dataclass(frozen=True)
class Started:
    """A sign-in under way: what the issuer's answer must fit, and where to go on."""

    state: str
    verifier: str
    after: str
    since: float


class Sessions:
    """Sessions and sign-ins of this process, each by a name of 256 random bits; the oldest give way."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._started: OrderedDict[str, Started] = OrderedDict()

    def begin(self, started: Started) -> str:
        """The name of a sign-in."""
        name = secrets.token_urlsafe(32)
        self._started[name] = started
        while len(self._started) > _MOST:
            self._started.popitem(last=False)
        return name

    def finish(self, name: str) -> Started | None:
        """A sign-in that has begun here a while ago at most; once."""
        started = self._started.pop(name, None)
        return started if started and time.monotonic() - started.since < _START_SECONDS else None

    def keep(self, session: Session) -> str:
        """The name of a new session."""
        name = secrets.token_urlsafe(32)
        self._sessions[name] = session
        while len(self._sessions) > _MOST:
            self._sessions.popitem(last=False)
        return name

    def get(self, name: str) -> Session | None:
        """The session of that name unless nobody used it for long."""
        session = self._sessions.get(name)
        if session is None:
            return None
        if time.monotonic() - session.seen > _IDLE_SECONDS:
            self.end(name)
            return None
        session.seen = time.monotonic()
        self._sessions.move_to_end(name)
        return session

    def end(self, name: str) -> None:
        """Signed out."""
        self._sessions.pop(name, None)
