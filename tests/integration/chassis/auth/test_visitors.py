"""Who calls without a token is the public: where its policy lets the public in, and as often as the settings say."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import pytest
from livinglab.assessment.v1 import service_pb2 as pb
from livinglab.assessment.v1.service_pb2_grpc import AssessmentServiceStub

from chassis.errors import Kind
from stack.issuer import Issuer
from tests.harness.servers import Servers
from tests.harness.service import Running, refusal, running_service

ALLOWED = 4


@pytest.fixture
async def assessment(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[Running]:
    settings: dict[str, Any] = {"anonymous_calls_per_minute": ALLOWED, "trusted_proxies": ["127.0.0.0/8"]}
    async with running_service("assessment", servers, issuer, nats_url, **settings) as running:
        yield running


@pytest.fixture
async def visitor(assessment: Running) -> AsyncIterator[Any]:
    """Any client, with no word about who it is."""
    async with grpc.aio.insecure_channel(assessment.address) as channel:
        yield AssessmentServiceStub(channel)


async def test_the_public_needs_no_token_and_everybody_else_does(visitor: Any) -> None:
    assert (await visitor.ListInstruments(pb.ListInstrumentsRequest())).instruments
    refused = await refusal(visitor.SaveAnswers(pb.SaveAnswersRequest()))
    assert (refused.kind, refused.reason) == (Kind.UNAUTHENTICATED, "NO_TOKEN")
    # What a method does not show the public it shows nobody without a token.
    refused = await refusal(visitor.GetEvaluation(pb.GetEvaluationRequest(evaluation_id="unknown")))
    assert refused.kind is Kind.NOT_FOUND


async def test_a_token_that_does_not_hold_makes_nobody_the_public(assessment: Running) -> None:
    stub = assessment.with_token(AssessmentServiceStub, "forged")
    refused = await refusal(stub.ListInstruments(pb.ListInstrumentsRequest()))
    assert (refused.kind, refused.reason) == (Kind.UNAUTHENTICATED, "BAD_TOKEN")


async def test_a_visitor_calls_as_often_as_the_settings_say(assessment: Running, visitor: Any) -> None:
    for _ in range(ALLOWED):
        await visitor.ListInstruments(pb.ListInstrumentsRequest())
    refused = await refusal(visitor.ListInstruments(pb.ListInstrumentsRequest()))
    assert (refused.kind, refused.reason) == (Kind.RESOURCE_EXHAUSTED, "RATE")
    assert refused.retry_seconds
    # Neither who has a token nor whom our own proxy speaks for waits for that one.
    public = assessment.as_role(AssessmentServiceStub, "public")
    await public.ListInstruments(pb.ListInstrumentsRequest())
    await visitor.ListInstruments(pb.ListInstrumentsRequest(), metadata=(("x-forwarded-for", "203.0.113.7"),))
