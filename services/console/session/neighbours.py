"""The services as pages ask them: each call carries the token of the person who asks, or none for the public."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from livinglab.assessment.v1 import (
    evidence_service_pb2_grpc,
    results_service_pb2_grpc,
    service_pb2_grpc,
    understanding_pb2_grpc,
    verification_pb2_grpc,
)
from livinglab.benchmark.v1 import analysis_service_pb2_grpc
from livinglab.benchmark.v1 import service_pb2_grpc as benchmark_grpc
from livinglab.coaching.v1 import (
    assignment_service_pb2_grpc,
    minutes_service_pb2_grpc,
    plan_service_pb2_grpc,
    practice_service_pb2_grpc,
)
from livinglab.coaching.v1 import service_pb2_grpc as coaching_grpc
from livinglab.common.v1 import dead_letter_service_pb2_grpc, flow_service_pb2_grpc
from livinglab.notify.v1 import inbox_service_pb2_grpc, subscription_service_pb2_grpc
from livinglab.notify.v1 import service_pb2_grpc as notify_grpc
from livinglab.program.v1 import (
    audit_service_pb2_grpc,
    directory_service_pb2_grpc,
    duty_service_pb2_grpc,
    overview_service_pb2_grpc,
    release_service_pb2_grpc,
    report_service_pb2_grpc,
    steering_service_pb2_grpc,
)
from livinglab.program.v1 import service_pb2_grpc as program_grpc

# Longest wait of a page for one answer; people have gone by then.
_SECONDS = 5.0
# Those that publish facts and hear those of others.
PROCESSES = ("assessment", "benchmark", "coaching", "notify", "program")
# The most that any list gives at once.
_MOST = 1_000


class Neighbours:
    """A stub for each service that pages ask; `channel` opens one to a process by its name."""

    def __init__(self, channel: Callable[[str], Any]) -> None:
        channels = {name: channel(name) for name in PROCESSES}
        assessment, benchmark, program = channels["assessment"], channels["benchmark"], channels["program"]
        letters, flows = dead_letter_service_pb2_grpc.DeadLetterServiceStub, flow_service_pb2_grpc.FlowServiceStub
        self.letters: dict[str, Any] = {name: letters(one) for name, one in channels.items()}
        self.flows: dict[str, Any] = {name: flows(one) for name, one in channels.items()}
        self.releases: Any = release_service_pb2_grpc.ReleaseServiceStub(program)
        self.instruments: Any = service_pb2_grpc.AssessmentServiceStub(assessment)
        self.evidence: Any = evidence_service_pb2_grpc.EvidenceServiceStub(assessment)
        self.verification: Any = verification_pb2_grpc.VerificationServiceStub(assessment)
        self.results: Any = results_service_pb2_grpc.ResultServiceStub(assessment)
        self.understanding: Any = understanding_pb2_grpc.UnderstandingServiceStub(assessment)
        self.race: Any = benchmark_grpc.BenchmarkServiceStub(benchmark)
        self.analysis: Any = analysis_service_pb2_grpc.AnalysisServiceStub(benchmark)
        self.directory: Any = directory_service_pb2_grpc.DirectoryServiceStub(program)
        self.program: Any = program_grpc.ProgramServiceStub(program)
        self.duties: Any = duty_service_pb2_grpc.DutyServiceStub(program)
        self.overviews: Any = overview_service_pb2_grpc.OverviewServiceStub(program)
        self.steering: Any = steering_service_pb2_grpc.SteeringServiceStub(program)
        self.audit: Any = audit_service_pb2_grpc.AuditServiceStub(program)
        self.reports: Any = report_service_pb2_grpc.ReportServiceStub(program)
        self.notify: Any = notify_grpc.NotifyServiceStub(channels["notify"])
        self.inbox: Any = inbox_service_pb2_grpc.InboxServiceStub(channels["notify"])
        self.subscriptions: Any = subscription_service_pb2_grpc.SubscriptionServiceStub(channels["notify"])
        coaching = channels["coaching"]
        self.coaching: Any = coaching_grpc.CoachingServiceStub(coaching)
        self.plans: Any = plan_service_pb2_grpc.PlanServiceStub(coaching)
        self.coached: Any = assignment_service_pb2_grpc.AssignmentServiceStub(coaching)
        self.minutes: Any = minutes_service_pb2_grpc.MinutesServiceStub(coaching)
        self.practices: Any = practice_service_pb2_grpc.PracticeServiceStub(coaching)


@dataclass(frozen=True)
class Person:
    """Who asks; an empty token is the public. `origin` is the address that the request came from, as
    x-forwarded-for writes it, so that the services count each visitor and not the console."""

    token: str = ""
    origin: str = ""

    async def ask(self, method: Any, request: Any, seconds: float = _SECONDS) -> Any:
        """What the method answers to this person; AioRpcError says why not."""
        return await method(request, metadata=self.metadata(), timeout=seconds)

    async def every(self, method: Any, request: Any, rows: str) -> list[Any]:
        """All that a list method has, page after page; `rows` is the field of its answer that holds them."""
        request.page_size = _MOST
        found: list[Any] = []
        while True:
            answer = await self.ask(method, request)
            found += getattr(answer, rows)
            if not answer.next_page_token:
                return found
            request.page_token = answer.next_page_token

    def metadata(self) -> list[tuple[str, str]]:
        """What a call of this person carries."""
        if self.token:
            return [("authorization", f"Bearer {self.token}")]
        return [("x-forwarded-for", self.origin)] if self.origin else []
