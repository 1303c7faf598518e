"""What participants report to their program: those that report at the same time do it together, so that the program's
history does not grow with their number."""

import asyncio
from dataclasses import dataclass, field

from livinglab.program.v1 import workflow_pb2 as pb

from services.program.engine.client import Engine

# Between two signals to one program. The first goes at once.
_PAUSE_SECONDS = 0.2


@dataclass
class _Bundle:
    """Goes in one signal."""

    news: pb.Reports
    sent: "asyncio.Future[None]" = field(default_factory=asyncio.Future)


class Reporter:
    """One of a worker. What it has not sent when it dies is reported again by who did."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        # Cohort to what goes to it next; there while its bundles are being sent.
        self._next: dict[str, _Bundle | None] = {}
        self._sending: set[asyncio.Task[None]] = set()

    async def report(self, news: pb.Reports) -> None:
        """Returns when the program has it, or is no more. UNAVAILABLE where Temporal does not answer."""
        cohort_id = news.cohort_id
        idle = cohort_id not in self._next
        bundle = self._next.get(cohort_id)
        if bundle is None:
            bundle = self._next[cohort_id] = _Bundle(pb.Reports(cohort_id=cohort_id))
        bundle.news.done.extend(news.done)
        bundle.news.ended.extend(news.ended)
        if idle:
            sending = asyncio.create_task(self._send(cohort_id))
            self._sending.add(sending)
            sending.add_done_callback(self._sending.discard)
        # Who is cancelled leaves the others their bundle.
        await asyncio.shield(bundle.sent)

    async def _send(self, cohort_id: str) -> None:
        while bundle := self._next[cohort_id]:
            self._next[cohort_id] = None
            try:
                await self._engine.signal(cohort_id, "", "reported", bundle.news)
            except Exception as error:
                bundle.sent.set_exception(error)
                # Whether or not anybody is left to hear it.
                bundle.sent.exception()
            else:
                bundle.sent.set_result(None)
            await asyncio.sleep(_PAUSE_SECONDS)
        del self._next[cohort_id]
