"""Refusals as problem details (RFC 9457): the same kinds, reasons and faults as over gRPC."""

import json
from typing import Any

from starlette.responses import Response

from chassis.errors import Kind, Refused

MEDIA = "application/problem+json"
STATUS = {
    Kind.INVALID_ARGUMENT: 400,
    Kind.UNAUTHENTICATED: 401,
    Kind.PERMISSION_DENIED: 403,
    Kind.NOT_FOUND: 404,
    Kind.FAILED_PRECONDITION: 409,
    Kind.ABORTED: 409,
    Kind.ALREADY_EXISTS: 409,
    Kind.RESOURCE_EXHAUSTED: 429,
    Kind.INTERNAL: 500,
    Kind.UNAVAILABLE: 503,
    Kind.DEADLINE_EXCEEDED: 504,
}
_WAIT_SECONDS = 1


def problem(refused: Refused, status: int = 0) -> Response:
    """What was refused, where and why. `type` says nothing that `reason` does not."""
    status = status or STATUS[refused.kind]
    told: dict[str, Any] = {
        "type": "about:blank",
        "title": refused.kind.value,
        "status": status,
        "detail": refused.message,
        "reason": refused.reason,
    }
    if refused.violations:
        told["violations"] = [{"field": one.field, "description": one.description} for one in refused.violations]
    if refused.resource:
        told["resource"] = {"type": refused.resource[0], "name": refused.resource[1]}
    headers = {"cache-control": "no-store"}
    if refused.retry_seconds is not None or status in (429, 503):
        headers["retry-after"] = str(max(_WAIT_SECONDS, round(refused.retry_seconds or 0)))
    if status == STATUS[Kind.UNAUTHENTICATED]:
        headers["www-authenticate"] = "Bearer"
    return Response(json.dumps(told, ensure_ascii=False), status, headers, MEDIA)
