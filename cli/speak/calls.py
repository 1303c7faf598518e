"""One call to assessment, from every command that needs its answer alone."""

from typing import Any

_SERVICES = {
    "service": "AssessmentService",
    "verification": "VerificationService",
    "understanding": "UnderstandingService",
    "comment_service": "CommentService",
}


def call(module: str, method: str, **fields: Any) -> Any:
    """The answer of one method, for a command that needs no other; see `ask`."""
    from cli.speak.connection import run

    return run(ask(module, method, **fields))


async def ask(module: str, method: str, **fields: Any) -> Any:
    """The answer of one method of a service whose file is named above; a write gets its request_id."""
    import importlib

    from cli.speak.connection import connected, new_request_id

    package = "livinglab.assessment.v1."
    stub = getattr(importlib.import_module(f"{package}{module}_pb2_grpc"), f"{_SERVICES[module]}Stub")
    request_class = getattr(importlib.import_module(f"{package}{module}_pb2"), f"{method}Request")
    if "request_id" in request_class.DESCRIPTOR.fields_by_name:
        fields["request_id"] = new_request_id()
    async with connected("assessment", stub) as service:
        return await getattr(service, method)(request_class(**fields))
