"""The one typed error: what was refused, why, and where. chassis.status maps it to gRPC and back."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """Kinds of refusal, named as the gRPC codes that they become."""

    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    NOT_FOUND = "NOT_FOUND"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    FAILED_PRECONDITION = "FAILED_PRECONDITION"
    ABORTED = "ABORTED"
    RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"
    UNAVAILABLE = "UNAVAILABLE"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    INTERNAL = "INTERNAL"


@dataclass(frozen=True)
class Violation:
    """One fault and its place, a field path such as `answers[3].value`."""

    field: str
    description: str

    def __str__(self) -> str:
        return f"{self.field}: {self.description}" if self.field else self.description


class Refused(Exception):
    """A request that cannot be served. `reason` is for programs, `message` for people. `waited`: what is missing was
    waited for in vain, so a client's library does not repeat the call by itself, beyond the caller's deadline."""

    def __init__(
        self,
        kind: Kind,
        reason: str,
        message: str,
        *,
        violations: Iterable[Violation] = (),
        resource: tuple[str, str] | None = None,
        retry_seconds: float | None = None,
        waited: bool = False,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.reason = reason
        self.message = message
        self.violations = tuple(violations)
        self.resource = resource
        self.retry_seconds = retry_seconds
        self.waited = waited

    def __str__(self) -> str:
        return "\n".join([self.message, *(f"  {v}" for v in self.violations)])


def invalid(violations: Iterable[Violation]) -> Refused:
    """Bad input, every fault named."""
    faults = tuple(violations)
    count = "one fault" if len(faults) == 1 else f"{len(faults)} faults"
    return Refused(Kind.INVALID_ARGUMENT, "INVALID_FIELDS", f"the request has {count}", violations=faults)


def invalid_field(field: str, description: str) -> Refused:
    """Bad input with a single fault."""
    return invalid([Violation(field, description)])


def not_found(resource_type: str, name: str) -> Refused:
    """The thing that the request names is not there."""
    return Refused(
        Kind.NOT_FOUND, "NOT_FOUND", f"{resource_type} {name} does not exist", resource=(resource_type, name)
    )


def precondition(reason: str, message: str, violations: Iterable[Violation] = ()) -> Refused:
    """The thing is not in a state that allows this."""
    return Refused(Kind.FAILED_PRECONDITION, reason, message, violations=violations)


def conflict(resource_type: str, name: str) -> Refused:
    """Somebody else has written since the caller read."""
    message = f"{resource_type} {name} has changed since it was read: read it again"
    return Refused(Kind.ABORTED, "STALE_ETAG", message, resource=(resource_type, name))


def denied(reason: str, message: str) -> Refused:
    """The caller may not do this."""
    return Refused(Kind.PERMISSION_DENIED, reason, message)


def unauthenticated(reason: str, message: str) -> Refused:
    """The caller has not shown who they are."""
    return Refused(Kind.UNAUTHENTICATED, reason, message)


def unavailable(what: str, retry_seconds: float = 1.0, *, waited: bool = False) -> Refused:
    """A part that is needed does not answer now; the same call may be sent again."""
    message = f"{what} does not answer: try again"
    return Refused(Kind.UNAVAILABLE, "UNAVAILABLE", message, retry_seconds=retry_seconds, waited=waited)
