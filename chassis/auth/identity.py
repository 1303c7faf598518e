"""Who a caller is, which institution they may act for, and what the protos say about who may call a method."""

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
    options_pb2.ROLE_AGENCY,
    options_pb2.ROLE_ASSESSOR,
    options_pb2.ROLE_COACH,
    options_pb2.ROLE_PUBLIC,
)
_BOUND_ROLES = frozenset(
    {
        options_pb2.ROLE_OPERATOR,
        options_pb2.ROLE_HEAD,
        options_pb2.ROLE_SECRETARY,
        options_pb2.ROLE_REGENT,
        options_pb2.ROLE_AGENCY,
    }
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
    # The agency of that institution that somebody works in.
    agency: str = ""

    @property
    def key(self) -> str:
        """One string a caller: the subject, or for the public the subject and the address."""
        return f"{self.subject}@{self.peer}" if self.peer else self.subject


@dataclass
class Caller:
    """The identity behind the call that is being served."""

    identity: Identity
    # The role that this call is served in. The token may carry others.
    role: int
    institution_checked: bool = field(default=False)
    agency_checked: bool = field(default=False)

    @property
    def subject(self) -> str:
        """Who it is, for records."""
        return self.identity.subject

    @property
    def bound_to(self) -> str | None:
        """The one institution that this caller may act for; None where the role is not tied to one."""
        return self.identity.institution if self.role in _BOUND_ROLES else None

    def care(self) -> str | None:
        """The agency that this caller is, whose indicators and actions are all that it reaches; None for every other
        role. PERMISSION_DENIED (NO_AGENCY) where the token names none. Every method with the policy `own_institution`
        that agencies may call has to ask this."""
        if self.role != options_pb2.ROLE_AGENCY:
            return None
        self.agency_checked = True
        if not self.identity.agency:
            raise denied("NO_AGENCY", f"the token of {self.subject} names no agency of {self.identity.institution}")
        return self.identity.agency

    def require_institution(self, institution: str) -> None:
        """PERMISSION_DENIED (OTHER_INSTITUTION) where a user of one institution asks about another. Every method with
        the policy `own_institution` has to call this."""
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
    """A suffix for keys of stored answers: a person who has moved to another institution or agency does not get the
    answers that the same subject got before. "" for who has no institution."""
    found = _caller.get(None)
    if found is None or not found.identity.institution:
        return ""
    agency = f"/{found.identity.agency}" if found.role == options_pb2.ROLE_AGENCY else ""
    return f"@{found.identity.institution}{agency}"


def set_caller(identity: Identity, role: int) -> Caller:
    """Makes this the caller of the current task, in one of the roles of the token."""
    found = Caller(identity, role)
    _caller.set(found)
    return found


def policy_of(method: MethodDescriptor) -> options_pb2.Policy:
    """The policy that a method declares in its proto; TypeError where it declares none: such a method is not served."""
    options = method.GetOptions()
    if not options.HasExtension(options_pb2.policy) or not options.Extensions[options_pb2.policy].roles:
        raise TypeError(f"{method.full_name} declares no policy")
    return options.Extensions[options_pb2.policy]


def require_roles(identity: Identity, allowed: frozenset[int], method: str) -> tuple[int, ...]:
    """The caller's roles that the method allows, the most powerful first. PERMISSION_DENIED (ROLE) where there is
    none."""
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
