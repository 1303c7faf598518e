"""Who a caller is, what they may reach, and the policies that the protos declare."""

from contextvars import ContextVar
from dataclasses import dataclass, field

from google.protobuf.descriptor import MethodDescriptor
from livinglab.common.v1 import options_pb2

from chassis.errors import denied

_ROLES = {label.removeprefix("ROLE_").lower(): number for label, number in options_pb2.Role.items() if number}
_BY_REACH = (
    options_pb2.ROLE_SYSTEM,
    options_pb2.ROLE_MANAGER,
    options_pb2.ROLE_PLATFORM,
    options_pb2.ROLE_HEAD,
    options_pb2.ROLE_OPERATOR,
    options_pb2.ROLE_SECRETARY,
    options_pb2.ROLE_REGENT,
    options_pb2.ROLE_ASSESSOR,
    options_pb2.ROLE_COACH,
    options_pb2.ROLE_PUBLIC,
)
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
    # Where a caller without a token calls from.
    peer: str = ""

    @property
    def key(self) -> str:
        """Tells callers apart."""
        return f"{self.subject}@{self.peer}" if self.peer else self.subject


@dataclass
class Caller:
    """The identity behind the call that is being served."""

    identity: Identity
    # The one role in which it is served here, whatever other roles the token carries.
    role: int
    institution_checked: bool = field(default=False)

    @property
    def subject(self) -> str:
        """Who it is, for records."""
        return self.identity.subject

    @property
    def bound_to(self) -> str | None:
        """The one institution that this caller may reach here; None where there is no such bound."""
        return self.identity.institution if self.role in _BOUND_ROLES else None

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


def moved() -> str:
    """Tells apart what the same subject may ask for as a person of one institution and, later, of another."""
    found = _caller.get(None)
    return f"@{found.identity.institution}" if found and found.identity.institution else ""


def set_caller(identity: Identity, role: int) -> Caller:
    """Names the caller for the rest of this task, in one of the roles of its token."""
    found = Caller(identity, role)
    _caller.set(found)
    return found


def policy_of(method: MethodDescriptor) -> options_pb2.Policy:
    """The declared policy of a method; TypeError where there is none, so that it cannot be served."""
    options = method.GetOptions()
    if not options.HasExtension(options_pb2.policy) or not options.Extensions[options_pb2.policy].roles:
        raise TypeError(f"{method.full_name} declares no policy")
    return options.Extensions[options_pb2.policy]


def require_roles(identity: Identity, allowed: frozenset[int], method: str) -> tuple[int, ...]:
    """The roles of the caller that are allowed, those first that reach furthest; refuses who has none of them."""
    admitted = tuple(role for role in _BY_REACH if role in identity.roles and role in allowed)
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
