"""The bare limit of a write: grpc.aio and motor with nothing between, doing the same transaction as our service."""

import argparse
import asyncio
import hashlib
import signal
from datetime import UTC, datetime
from typing import Any

import grpc.aio
import uvloop
from livinglab.assessment.v1 import evaluation_pb2, service_pb2_grpc
from livinglab.assessment.v1 import service_pb2 as pb
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import WriteConcern
from pymongo.read_concern import ReadConcern

from chassis import naming

_DURABLE = WriteConcern(w="majority", j=True)


class Bare(service_pb2_grpc.AssessmentServiceServicer):  # the other methods answer UNIMPLEMENTED
    """Reads the evaluation, lays the answers over it, writes it, an outbox row, a line of history, and the answer."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._db = client.get_database("bare", write_concern=_DURABLE, read_concern=ReadConcern("majority"))

    async def OpenEvaluation(self, request: pb.OpenEvaluationRequest, context: Any) -> pb.OpenEvaluationResponse:
        row = {"_id": request.institution, "version": 1, "answers": []}
        await self._db["evaluations"].replace_one({"_id": request.institution}, row, upsert=True)
        return pb.OpenEvaluationResponse(evaluation=evaluation_pb2.Evaluation(id=request.institution))

    async def SaveAnswers(self, request: pb.SaveAnswersRequest, context: Any) -> pb.SaveAnswersResponse:
        answers = [{"indicator": a.indicator, "value": a.value, "note": a.note} for a in request.answers]
        return pb.SaveAnswersResponse(evaluation=await self._write(request.evaluation_id, request, answers))

    async def SubmitEvaluation(self, request: pb.SubmitEvaluationRequest, context: Any) -> pb.SubmitEvaluationResponse:
        return pb.SubmitEvaluationResponse(evaluation=await self._write(request.evaluation_id, request, []))

    async def _write(self, key: str, request: Any, answers: list[dict[str, str]]) -> evaluation_pb2.Evaluation:
        now = datetime.now(UTC)
        async with await self._client.start_session() as session, session.start_transaction(write_concern=_DURABLE):
            row = await self._db["evaluations"].find_one({"_id": key}, session=session)
            kept = {answer["indicator"]: answer for answer in row["answers"]}
            kept.update({answer["indicator"]: answer for answer in answers})
            row = {**row, "version": row["version"] + 1, "answers": list(kept.values()), "time": now}
            await self._db["evaluations"].replace_one({"_id": key, "version": row["version"] - 1}, row, session=session)
            evaluation = evaluation_pb2.Evaluation(
                id=key,
                answers=[evaluation_pb2.Answer(indicator=a["indicator"], value=a["value"]) for a in row["answers"]],
            )
            event = {"_id": naming.new_id(), "pending": True, "payload": request.SerializeToString(), "time": now}
            await self._db["outbox"].insert_one(event, session=session)
            change = {
                "_id": naming.new_id(),
                "evaluation": key,
                "values": {a["indicator"]: a["value"] for a in answers},
            }
            await self._db["changes"].insert_one({**change, "time": now}, session=session)
            answer = {
                "_id": request.request_id,
                "content": hashlib.sha256(request.SerializeToString()).digest(),
                "answer": evaluation.SerializeToString(),
                "time": now,
            }
            await self._db["requests"].insert_one(answer, session=session)
        return evaluation


async def serve(listen: str, mongo_uri: str) -> None:
    """Until SIGTERM."""
    client = AsyncIOMotorClient(mongo_uri)
    for name in ("evaluations", "outbox", "changes", "requests"):
        await client["bare"][name].insert_one({"_id": "first"})
    server = grpc.aio.server()
    service_pb2_grpc.add_AssessmentServiceServicer_to_server(Bare(client), server)  # type: ignore[abstract]
    server.add_insecure_port(listen)
    await server.start()
    print("ready", flush=True)
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    await stopping.wait()
    await server.stop(1)
    client.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen", required=True)
    parser.add_argument("--mongo", required=True)
    given = parser.parse_args()
    uvloop.run(serve(given.listen, given.mongo))
