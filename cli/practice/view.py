"""How practices and their copies are asked for and shown."""

from typing import TYPE_CHECKING, Any

from cli.speak.output import fail, print_json, say

if TYPE_CHECKING:
    from livinglab.coaching.v1 import practice_pb2

_KINDS = ("G2G", "G2C", "G2E", "G2B")


def kind_number(text: str) -> "practice_pb2.ServiceKind.ValueType":
    """G2C as the contract has it; 0 for none."""
    from livinglab.coaching.v1 import practice_pb2

    if text and text.upper() not in _KINDS:
        fail(f"--kind is {', '.join(_KINDS)}, not {text}")
    return practice_pb2.ServiceKind.Value(f"SERVICE_KIND_{text.upper() or 'UNSPECIFIED'}")


def called(method: str, request: Any) -> Any:
    """What PracticeService answers."""
    from livinglab.coaching.v1.practice_service_pb2_grpc import PracticeServiceStub

    from cli.speak import connection

    return connection.call("coaching", PracticeServiceStub, method, request)


def every(method: str, request: Any, items: str) -> list[Any]:
    """All items of a list that comes in pages; `request` makes one of a page's token."""
    from livinglab.coaching.v1.practice_service_pb2_grpc import PracticeServiceStub

    from cli.speak.connection import connected, every_page, run

    async def call() -> list[Any]:
        async with connected("coaching", PracticeServiceStub) as stub:

            async def page(token: str) -> Any:
                return await getattr(stub, method)(request(token))

            return await every_page(page, lambda found: getattr(found, items))

    return run(call())


def tell(practice: "practice_pb2.Practice", as_json: bool) -> None:
    """What has become of a practice."""
    row = as_dict(practice)
    if as_json:
        print_json(row)
    else:
        say(f"{row['id']}: {row['title']} is {row['state']}")


def tell_replication(replication: "practice_pb2.Replication", as_json: bool) -> None:
    """What has become of a request to copy one."""
    row = replication_dict(replication)
    if as_json:
        print_json(row)
    else:
        say(f"{row['id']}: {row['institution']} copies from {row['host']}, is {row['state']}")


def levels(row: dict[str, Any]) -> str:
    """35=4, 10=3"""
    return ", ".join(f"{one['indicator']}={one['level']}" for one in row["levels"])


def as_dict(practice: "practice_pb2.Practice") -> dict[str, Any]:
    """A practice for programs."""
    from livinglab.coaching.v1 import practice_pb2

    kind = practice_pb2.ServiceKind.Name(practice.kind).removeprefix("SERVICE_KIND_")
    return {
        "id": practice.id,
        "institution": practice.institution,
        "title": practice.title,
        "summary": practice.summary,
        "kind": kind if practice.kind else "",
        "instrument": practice.instrument,
        "levels": [{"indicator": one.indicator, "level": one.level} for one in practice.levels],
        "steps": list(practice.steps),
        "contact_name": practice.contact_name,
        "contact": practice.contact,
        "evidence": [{"title": one.title, "url": one.url} for one in practice.evidence],
        "state": practice_pb2.PracticeState.Name(practice.state).removeprefix("PRACTICE_STATE_").lower(),
        "reason": practice.reason,
        "requested": practice.requested,
        "replicated": practice.replicated,
        "rehearsal": practice.rehearsal,
        "etag": practice.etag,
    }


def replication_dict(one: "practice_pb2.Replication") -> dict[str, str]:
    """A request to copy for programs."""
    from livinglab.coaching.v1 import practice_pb2

    return {
        "id": one.id,
        "practice": one.practice_id,
        "institution": one.institution,
        "host": one.host,
        "state": practice_pb2.ReplicationState.Name(one.state).removeprefix("REPLICATION_STATE_").lower(),
        "note": one.note,
        "answer": one.answer,
        "outcome": one.outcome,
        "rehearsal": one.rehearsal,
    }
