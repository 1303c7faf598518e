"""What is known about a method before any call, and what is recorded about each call: metrics, trace, log line."""

import asyncio
import time
from typing import Any

from google.protobuf.descriptor import MethodDescriptor
from livinglab.common.v1 import options_pb2
from opentelemetry.trace import SpanKind
from prometheus_client import Counter

from chassis import auth, telemetry
from chassis.errors import Kind, Refused, denied

# What is not the caller's doing.
_OURS = frozenset({Kind.INTERNAL, Kind.UNAVAILABLE, Kind.DEADLINE_EXCEEDED})
# A request that names things and says little about them; methods that take more say so in their policy.
_REQUEST_BYTES = 64 * 2**10


class Method:
    """What is known of a method before any call: TypeError without a policy, so nothing serves by accident."""

    def __init__(self, descriptor: MethodDescriptor) -> None:
        policy = auth.policy_of(descriptor)
        self.name = descriptor.name
        self.service = descriptor.containing_service.full_name
        self.path = f"/{self.service}/{self.name}"
        self.roles = frozenset(policy.roles)
        self.most_bytes = policy.max_request_bytes or _REQUEST_BYTES
        self._own_institution = policy.own_institution
        self.seconds = telemetry.RPC_SECONDS.labels(self.service, self.name)
        # By status code: to look a label up takes longer than to count.
        self._ended: dict[str, Counter] = {}

    def confirm(self, caller: auth.Caller) -> None:
        """A method that promised to check the institution, and for an agency what is in its care, and did not must not
        answer."""
        if not self._own_institution:
            return
        if caller.bound_to is not None and not caller.institution_checked:
            raise denied("UNCHECKED_INSTITUTION", f"{self.name} did not check whose data this is")
        if caller.role == options_pb2.ROLE_AGENCY and not caller.agency_checked:
            raise denied("UNCHECKED_AGENCY", f"{self.name} did not check in whose care this is")

    def count(self, code: str) -> None:
        """One more call ended so."""
        ended = self._ended.get(code)
        if ended is None:
            ended = self._ended[code] = telemetry.RPC_TOTAL.labels(self.service, self.name, code)
        ended.inc()


class Observed:
    """Metrics, trace and log line of one call."""

    def __init__(self, method: Method, context: Any) -> None:
        self._method = method
        self._span = telemetry.span(method.path[1:], SpanKind.SERVER, metadata(context, "traceparent"))
        self._code = "OK"
        self._started = 0.0

    def __enter__(self) -> "Observed":
        self._started = time.perf_counter()
        self._span.__enter__()
        return self

    def refused(self, refused: Refused) -> None:
        """The call ends with this refusal."""
        self._code = refused.kind.value
        telemetry.refused(self._code, refused.reason, refused.message, ours=refused.kind in _OURS)
        telemetry.log.info(
            "refused", method=self._method.path, code=self._code, reason=refused.reason, faults=len(refused.violations)
        )

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        if isinstance(error, asyncio.CancelledError | GeneratorExit):
            self._code = "CANCELLED"
            telemetry.refused(self._code, "CANCELLED", "", ours=False)
        self._span.__exit__(None, None, None)
        self._method.seconds.observe(time.perf_counter() - self._started)
        self._method.count(self._code)


def metadata(context: Any, key: str) -> str:
    """A text that the caller sent along; empty where there is none."""
    for name, value in context.invocation_metadata():
        if name == key:
            return value if isinstance(value, str) else ""
    return ""
