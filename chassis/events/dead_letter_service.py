"""The RPCs with which an operator looks at dead letters, has one handled again, or gives it up."""

import asyncio
from contextvars import Context
from datetime import UTC, datetime
from functools import partial
from typing import Any

from livinglab.common.v1 import dead_letter_service_pb2 as pb
from livinglab.common.v1 import dead_letter_service_pb2_grpc
from opentelemetry.trace import SpanKind

from chassis import auth, mongo, naming, telemetry
from chassis.events import dead_letters
from chassis.events.dead_letters import Gone, Letter
from chassis.events.outbox import Publisher
from chassis.events.stream import Consumer
from chassis.mongo import Database, Tx
from chassis.rpc import Served


class DeadLetterService:
    """Letters of one service, replayed by the consumer or published by the relay that set them aside."""

    def __init__(self, db: Database, consumer: Consumer, publisher: Publisher) -> None:
        self._db = db
        self._consumer = consumer
        self._publisher = publisher

    async def ListDeadLetters(self, request: pb.ListDeadLettersRequest, context: Any) -> pb.ListDeadLettersResponse:
        """A page, by id."""
        letters, token = await dead_letters.page(self._db, request)
        return pb.ListDeadLettersResponse(letters=letters, next_page_token=token)

    async def ReplayDeadLetters(
        self, request: pb.ReplayDeadLettersRequest, context: Any
    ) -> pb.ReplayDeadLettersResponse:
        """One letter after the other, each settled by itself: a request that ends midway is sent again and goes on
        where it was."""

        await self._accept(request, pb.ReplayDeadLettersResponse)
        found = [await self._replayed(request.request_id, letter_id) for letter_id in dict.fromkeys(request.letter_ids)]
        return pb.ReplayDeadLettersResponse(replays=found)

    async def DiscardDeadLetters(
        self, request: pb.DiscardDeadLettersRequest, context: Any
    ) -> pb.DiscardDeadLettersResponse:
        """One letter after the other, each given up by itself."""
        await self._accept(request, pb.DiscardDeadLettersResponse)
        found = [await self._discarded(request, letter_id) for letter_id in dict.fromkeys(request.letter_ids)]
        return pb.DiscardDeadLettersResponse(letters=found)

    async def _accept(self, request: Any, response: Any) -> None:
        """ALREADY_EXISTS where the request_id stands for other letters."""

        async def accept(tx: Tx) -> Any:
            return response()

        await self._db.once(request, accept, response)

    async def _discarded(self, request: pb.DiscardDeadLettersRequest, letter_id: str) -> pb.Replay:
        record = _record(request.request_id, letter_id)
        record |= {"reason": request.reason, "outcome": pb.REPLAY_OUTCOME_DISCARDED}
        try:
            await self._db.transaction(partial(dead_letters.discard, self._db, record=record))
            return _told(record)
        except Gone:
            return await self._ended(letter_id)

    async def _ended(self, letter_id: str) -> pb.Replay:
        """Somebody has settled it before, or it never was a letter."""
        before = await dead_letters.end_of(self._db, letter_id)
        if before is None:
            return pb.Replay(id=letter_id, outcome=pb.REPLAY_OUTCOME_UNKNOWN)
        if before["outcome"] == pb.REPLAY_OUTCOME_APPLIED:
            before["outcome"] = pb.REPLAY_OUTCOME_REPLAYED_BEFORE
        return _message(before)

    async def _replayed(self, request_id: str, letter_id: str) -> pb.Replay:
        record = _record(request_id, letter_id)
        if known := await dead_letters.record_of(self._db, record["_id"]):
            return _message(known)
        letter = await dead_letters.find(self._db, letter_id)
        if letter is not None:
            record["type"] = letter.type
            try:
                # In a context of its own: what follows from the fact is the service's doing, as the first time.
                await asyncio.create_task(self._apply(letter, record), context=Context())
                return _told(record)
            except Gone:
                pass
            except Exception as error:
                record |= {"outcome": pb.REPLAY_OUTCOME_FAILED, "reason": dead_letters.reason_of(error)}
                await dead_letters.note_failure(self._db, record)
                return _told(record)
        return await self._ended(letter_id)

    async def _apply(self, letter: Letter, record: dict[str, Any]) -> None:
        record["outcome"] = pb.REPLAY_OUTCOME_APPLIED
        settle = partial(dead_letters.settle, self._db, record=record)
        handled = partial(dead_letters.note_handled, self._db, letter_id=letter.id)
        label = letter.type or "unknown"
        with telemetry.span(f"replay {label}", SpanKind.CONSUMER, letter.headers.get(naming.TRACEPARENT)):
            if letter.outgoing:
                # Its id makes a second one, after a crash before the commit, a repeat.
                await self._publisher.publish(letter.subject, letter.payload, letter.headers)
                await self._db.transaction(settle)
            else:
                await self._consumer.replay(letter, handled, settle)


def served(db: Database, consumer: Consumer, publisher: Publisher) -> Served:
    """What a process that reacts to events serves beside its own."""
    descriptor = pb.DESCRIPTOR.services_by_name["DeadLetterService"]
    add = dead_letter_service_pb2_grpc.add_DeadLetterServiceServicer_to_server
    return Served(descriptor, DeadLetterService(db, consumer, publisher), add)


def _record(request_id: str, letter_id: str) -> dict[str, Any]:
    actor, now = auth.caller().subject, mongo.stored_precision(datetime.now(UTC))
    return {"_id": f"{actor}:{request_id}:{letter_id}", "letter": letter_id, "actor": actor, "time": now, "reason": ""}


def _told(record: dict[str, Any]) -> pb.Replay:
    """The same in metrics and logs."""
    outcome = pb.ReplayOutcome.Name(record["outcome"]).removeprefix("REPLAY_OUTCOME_").lower()
    telemetry.REPLAYS.labels(record["type"] or "unknown", outcome).inc()
    telemetry.log.info("a dead letter was looked after", letter=record["letter"], type=record["type"], outcome=outcome)
    return _message(record)


def _message(record: dict[str, Any]) -> pb.Replay:
    return pb.Replay(
        id=record["letter"],
        type=record["type"],
        outcome=record["outcome"],
        reason=record["reason"],
        replay_time=mongo.timestamp(record["time"]),
        actor=record["actor"],
    )
