"""Translates chassis.errors into google.rpc.Status with details, and back, by one table."""

from collections.abc import Sequence
from typing import Any, TypeVar

import grpc
from google.protobuf import any_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from chassis.errors import Kind, Refused, Violation

_CODES = {kind: grpc.StatusCode[kind.value] for kind in Kind}
_KINDS = {code: kind for kind, code in _CODES.items()}
# How a call ends that another process did not answer since it was away or stopped. The library says CANCELLED where a
# call reached a server that had just been told to stop; a caller who changes their mind never sees an answer.
CUT_OFF = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED})
_KINDS[grpc.StatusCode.CANCELLED] = Kind.UNAVAILABLE
# What a client's library takes for: do not repeat it by yourself.
_NOT_AGAIN = ("grpc-retry-pushback-ms", "-1")
_DOMAIN = "livinglab"
# A status travels in the trailing metadata, of which gRPC takes 8 KiB, encoded: with more a client gets none of it.
_MOST_BYTES = 4_500
_LONGEST_TEXT = 300
M = TypeVar("M", bound=Message)


def code(refused: Refused) -> grpc.StatusCode:
    """The gRPC code of a refusal."""
    return _CODES[refused.kind]


def to_status(refused: Refused) -> Any:
    """What goes over the wire: ErrorInfo always, BadRequest, ResourceInfo and RetryInfo where they apply."""
    details: list[Message] = [error_details_pb2.ErrorInfo(reason=refused.reason, domain=_DOMAIN)]
    if refused.violations:
        details.append(_bad_request(refused.violations))
    if refused.resource:
        resource_type, name = refused.resource
        details.append(error_details_pb2.ResourceInfo(resource_type=resource_type, resource_name=name))
    if refused.retry_seconds is not None:
        delay = Duration(nanos=int(refused.retry_seconds * 1e9) % 10**9, seconds=int(refused.retry_seconds))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    packed = [any_pb2.Any() for _ in details]
    for slot, detail in zip(packed, details, strict=True):
        slot.Pack(detail)
    status = status_pb2.Status(code=_CODES[refused.kind].value[0], message=_cut(refused.message), details=packed)
    found = rpc_status.to_status(status)
    return found._replace(trailing_metadata=(*found.trailing_metadata, _NOT_AGAIN)) if refused.waited else found


def _bad_request(violations: Sequence[Violation]) -> Any:
    """All of the faults, or as many as fit and how many more there are."""
    found, size = [], 0
    for n, violation in enumerate(violations):
        field, description = _cut(violation.field), _cut(violation.description)
        size += len(field.encode()) + len(description.encode()) + 8
        if size > _MOST_BYTES:
            field, description = "", f"and {len(violations) - n} more faults"
        found.append(error_details_pb2.BadRequest.FieldViolation(field=field, description=description))
        if size > _MOST_BYTES:
            break
    return error_details_pb2.BadRequest(field_violations=found)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…"


def from_rpc_error(error: grpc.RpcError) -> Refused:
    """What a failed call says, as the caller of another service sees it."""
    kind = _KINDS.get(error.code(), Kind.INTERNAL)
    reason, violations, resource, retry = kind.value, [], None, None
    status = rpc_status.from_call(error)
    for detail in status.details if status else ():
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            reason = _unpacked(detail, error_details_pb2.ErrorInfo()).reason
        elif detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
            bad = _unpacked(detail, error_details_pb2.BadRequest())
            violations = [Violation(v.field, v.description) for v in bad.field_violations]
        elif detail.Is(error_details_pb2.ResourceInfo.DESCRIPTOR):
            info = _unpacked(detail, error_details_pb2.ResourceInfo())
            resource = (info.resource_type, info.resource_name)
        elif detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
            delay = _unpacked(detail, error_details_pb2.RetryInfo()).retry_delay
            retry = delay.seconds + delay.nanos / 1e9
    message = error.details() or kind.value
    if status is None and kind is Kind.DEADLINE_EXCEEDED:
        # The library's own words say nothing to people.
        message = "no answer came in time: the same call may be sent again"
    if status is None and error.code() is grpc.StatusCode.CANCELLED:
        message = "the service stopped before it answered: the same call may be sent again"
    return Refused(kind, reason, message, violations=violations, resource=resource, retry_seconds=retry)


def _unpacked(packed: any_pb2.Any, into: M) -> M:
    packed.Unpack(into)
    return into
