"""How an actor waits: for what is away without end, for a fact under way from the last outage on, through all pages."""

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from livinglab.program.v1 import cohort_pb2
from livinglab.program.v1 import service_pb2 as pb

from chassis.errors import Kind, Refused, not_found, unavailable
from chassis.status import code
from stack.issuer import Issuer
from stack.rehearsal import stage as stage_module
from stack.rehearsal.stage import Stage


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage({}, Issuer(tmp_path / "issuer"), "cohort")


def failing(*refusals: Refused) -> Any:
    """A method that refuses so, one after the other, and then answers."""
    left = list(refusals)

    async def method(request: Message, metadata: Any) -> pb.WithdrawParticipantResponse:
        if left:
            raise _rpc_error(left.pop(0))
        return pb.WithdrawParticipantResponse()

    return method


def _rpc_error(refused: Refused) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code(refused), grpc.aio.Metadata(), grpc.aio.Metadata(), refused.message)


async def test_every_page_of_a_list_is_read(stage: Stage) -> None:
    everybody = [cohort_pb2.ParticipantProgress(institution=f"{number}") for number in range(2_500)]

    async def method(request: pb.ListParticipantsRequest, metadata: Any) -> pb.ListParticipantsResponse:
        start = int(request.page_token or 0)
        end = start + request.page_size
        token = str(end) if end < len(everybody) else ""
        return pb.ListParticipantsResponse(participants=everybody[start:end], next_page_token=token)

    pages = await stage.pages(method, pb.ListParticipantsRequest(cohort_id="cohort"), ())
    assert [p.institution for page in pages for p in page.participants] == [p.institution for p in everybody]


async def test_a_fact_is_under_way_for_as_long_as_something_was_just_away(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage_module, "_AGAIN_SECONDS", 0.06)
    monkeypatch.setattr(stage_module, "_PATIENCE_SECONDS", 0.15)
    # The outage alone is longer than the patience for a fact, which counts from its end.
    away = [unavailable("MongoDB")] * 5
    method = failing(*away, not_found("plan", "plan"), not_found("plan", "plan"))
    await stage.write("approved", method, pb.WithdrawParticipantRequest(), ())
    assert stage.writes.acknowledged["approved"] == 1


async def test_what_never_comes_is_refused_in_the_end(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage_module, "_AGAIN_SECONDS", 0.01)
    monkeypatch.setattr(stage_module, "_PATIENCE_SECONDS", 0.1)
    async with asyncio.timeout(10):
        with pytest.raises(Refused) as refused:
            await stage.write(
                "approved", failing(*[not_found("plan", "plan")] * 1_000), pb.WithdrawParticipantRequest(), ()
            )
    assert refused.value.kind == Kind.NOT_FOUND
    assert not stage.writes.acknowledged
