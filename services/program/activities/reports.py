"""What participants report to their program: those that report at the same time do it together, so that the program's
history does not grow with their number."""

from collections.abc import Sequence

from livinglab.program.v1 import workflow_pb2 as pb

from services.program.activities.together import Together
from services.program.engine.client import Engine

# Between two signals to one program while several report.
_PAUSE_SECONDS = 0.2
_MOST = 1_000


class Reporter:
    """One of a worker. What it has not sent when it dies is reported again by who did."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._together: Together[str, pb.Reports, None] = Together(self._send, _MOST, pause=_PAUSE_SECONDS)

    async def report(self, news: pb.Reports) -> None:
        """Returns when the program has it, or is no more. UNAVAILABLE where Temporal does not answer."""
        await self._together.do(news.cohort_id, news)

    async def _send(self, cohort_id: str, news: Sequence[pb.Reports]) -> Sequence[None]:
        bundle = pb.Reports(cohort_id=cohort_id)
        for one in news:
            bundle.done.extend(one.done)
            bundle.ended.extend(one.ended)
        await self._engine.signal(cohort_id, "", "reported", bundle)
        return [None] * len(news)
