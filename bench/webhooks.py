"""From the commit of a fact to another system's receiver of webhooks, on loopback, nothing else going on."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator

import grpc.aio
from livinglab.assessment.v1.service_pb2_grpc import AssessmentServiceStub
from livinglab.notify.v1 import webhook_service_pb2 as pb
from livinglab.notify.v1.webhook_service_pb2_grpc import WebhookServiceStub
from pymongo import AsyncMongoClient

from bench.answering import Load
from bench.latency import sent
from bench.rows import Row, percentile, within
from chassis import naming
from stack.system import System
from stack.waiting import eventually

_FACTS = 150
_SUBJECT = "assessment.v1.EvaluationSubmitted.>"


class _Receiver:
    """Verifies each signature, keeps when each fact came, and accepts it."""

    def __init__(self) -> None:
        self.secret = ""
        self.came: dict[str, float] = {}
        self.about: dict[str, str] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:])}
        body = await reader.readexactly(int(headers["content-length"]))
        self.came.setdefault(headers["webhook-id"], time.time())
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        status = 204 if expected in headers["webhook-signature"].split(" ") else 401
        if status == 204:
            self.about[headers["webhook-id"]] = json.loads(body)["subject"]
        writer.write(f"HTTP/1.1 {status} .\r\ncontent-length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()


async def rows(system: System) -> AsyncIterator[Row]:
    """One submission after the other; the receiver is on this machine."""
    receiver = _Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        async with grpc.aio.insecure_channel(system.fleet.address("notify")) as channel:
            request = pb.CreateWebhookRequest(request_id=naming.new_id(), url=url, subjects=[_SUBJECT], everything=True)
            platform = (("authorization", f"Bearer {system.fleet.issuer.token('platform')}"),)
            answer = await WebhookServiceStub(channel).CreateWebhook(request, metadata=platform)
            receiver.secret = answer.secret
        async with grpc.aio.insecure_channel(system.fleet.address("assessment")) as channel:
            ids = await Load(AssessmentServiceStub(channel), system).submit_one_by_one(_FACTS)
        wanted = set(ids)
        await eventually(lambda: wanted <= set(receiver.about.values()), timeout=60)
    async with AsyncMongoClient(system.platform.addresses.mongodb) as client:
        told = await sent(client, wanted)
    took = [(receiver.came[key] - moment.timestamp()) * 1000 for key, moment in told.items()]
    yield within("webhook-p50", "commit to webhook received, median", percentile(took, 0.5), 50.0, "ms")
    yield within("webhook-p99", "the same, 99th percentile", percentile(took, 0.99), 250.0, "ms")
