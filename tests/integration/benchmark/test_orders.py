"""The race is what its facts say, in whatever order they were heard, by ones or in bulk, some of them twice."""

import random
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from livinglab.assessment.v1 import evaluation_pb2
from livinglab.assessment.v1 import events_pb2 as assessment_pb
from livinglab.assessment.v1 import results_events_pb2 as imported_pb
from livinglab.benchmark.v1 import analysis_service_pb2 as analysis_pb
from livinglab.benchmark.v1 import service_pb2 as pb
from livinglab.common.v1 import options_pb2

from chassis import auth, mongo
from directory import official_regions
from directory.projection import Institutions
from instruments import instrument_files
from instruments.file import load
from services.benchmark import reactions
from services.benchmark.service.admission import Admission
from services.benchmark.service.analysis import AnalysisService
from services.benchmark.service.race import BenchmarkService
from services.benchmark.store import facts
from services.benchmark.store.live import Live
from services.benchmark.store.projections import Store
from tests.harness.race import JAVA, SPBE
from tests.harness.servers import Servers

REGIONS = official_regions()
BODIES = JAVA[:8]
MANAGER = frozenset({options_pb2.ROLE_MANAGER})
BEGUN = 1_660_000_000


@pytest.fixture
async def client(servers: Servers) -> AsyncIterator[Any]:
    client = mongo.connect(servers.mongo_uri)
    yield client
    for name in await client.list_database_names():
        if name.startswith("orders-"):
            await client.drop_database(name)
    client.close()


def told(draw: random.Random) -> list[Message]:
    """Two years of revisions, imports, withdrawals and publications of some bodies, with many ties; of some only the
    index."""
    instrument = load(instrument_files()[SPBE].read_bytes())
    found: list[Message] = [assessment_pb.InstrumentPublished(instrument_id=SPBE, instrument=instrument)]
    for code in BODIES:
        for period in ("2021", "2022"):
            for _ in range(draw.randint(1, 3)):
                found.append(_submitted(draw, assessment_pb.EvaluationSubmitted, code, period))
            if draw.random() < 0.5:
                found.append(_submitted(draw, assessment_pb.EvaluationPublished, code, period))
                found[-1].published = f"{draw.randint(10, 12) / 5:.2f}"  # type: ignore[attr-defined]
            imported = imported_pb.ResultImported(
                institution=code, instrument=SPBE, instrument_version=1, period=period
            )
            imported.stage = evaluation_pb2.STAGE_PUBLICATION
            imported.published_index = f"{draw.randint(10, 12) / 5:.2f}"
            found.append(imported)
            if draw.random() < 0.3:
                taken_out = imported_pb.ResultWithdrawn(institution=code, instrument=SPBE, period=period)
                taken_out.stage = evaluation_pb2.STAGE_PUBLICATION
                found.append(taken_out)
    versions: dict[str, int] = {}
    for at, event in enumerate(found):
        meta: Any = event.meta  # type: ignore[attr-defined]
        key = f"{type(event).__name__[:6]}:{getattr(event, 'institution', '')}:{getattr(event, 'period', '')}"
        versions[key] = versions.get(key, 0) + 1
        meta.event_id, meta.aggregate_id, meta.version = f"e{at:04d}", key, versions[key]
        meta.cohort_id = draw.choice(["", "c1"])
        meta.occurred_time.seconds = BEGUN + draw.randint(0, 20)
    return found


def _submitted(draw: random.Random, kind: Any, code: str, period: str) -> Any:
    event = kind(institution=code, instrument=SPBE, instrument_version=1, period=period)
    published = kind is assessment_pb.EvaluationPublished
    event.stage = evaluation_pb2.STAGE_PUBLICATION if published else evaluation_pb2.STAGE_SELF_ASSESSMENT
    event.score.index = f"{draw.randint(4, 8) / 2:.2f}"
    event.values.update({str(n): str(draw.randint(1, 3)) for n in range(1, 48)})
    return event


async def heard(client: Any, name: str, events: Sequence[Message], *, bulk: int = 0) -> Store:
    """A database of its own that has heard the events in this order, so many of them at once."""
    store = Store(mongo.Database(client, name))
    await store.prepare()
    handles: dict[Any, Any] = {
        reaction.event: reaction.handle for reaction in reactions.table(store, Institutions(store.db))
    }
    if bulk:
        building = await store.start_building()
        for first in range(0, len(events), bulk):
            batch = events[first : first + bulk]
            await store.fill(building, [write for event in batch for write in facts.WRITES[type(event)](event)])
        await store.swap(building)
        return store
    for event in events:

        async def body(tx: mongo.Tx, event: Message = event) -> None:
            await handles[type(event)](tx, event)

        await store.db.transaction(body)
    return store


async def answers(store: Store) -> list[bytes]:
    auth.set_caller(auth.Identity("manager", MANAGER, "", 0.0), options_pb2.ROLE_MANAGER)
    live = Live(store)
    admission = Admission(store, live, REGIONS)
    race: Any = BenchmarkService(store, live, admission, REGIONS)
    analysis: Any = AnalysisService(store, admission, REGIONS)
    found: list[Message] = []
    for group in ("", "cohort:c1"):
        for stage, basis in (("self-assessment", pb.BASIS_COMPUTED), ("publication", pb.BASIS_PUBLISHED)):
            asked = pb.Race(instrument=SPBE, period="2022", stage=stage, group=group, basis=basis)
            now = pb.GetRankingRequest(race=asked, since_previous=True)
            found.append(await race.GetRanking(now, None))
            for second in range(0, 21, 4):
                then = pb.GetRankingRequest(race=asked, as_of_time=Timestamp(seconds=BEGUN + second))
                found.append(await race.GetRanking(then, None))
            found.append(await race.GetAggregate(pb.GetAggregateRequest(race=asked), None))
            leaps = analysis_pb.ListLeapsRequest(race=asked, since_period="2021", target="2.2")
            found.append(await analysis.ListLeaps(leaps, None))
            found.append(await analysis.ListSeries(analysis_pb.ListSeriesRequest(race=asked), None))
        draft = pb.Race(instrument=SPBE, period="2022", group=group)
        found.append(await analysis.GetInsights(analysis_pb.GetInsightsRequest(race=draft), None))
        gap = pb.GetGapRequest(race=draft, institution=BODIES[0], role_model=BODIES[1], targets=["3.5"])
        found.append(await race.GetGap(gap, None))
    return [message.SerializeToString(deterministic=True) for message in found]


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_the_answers_are_the_same_bytes_whatever_came_first(client: Any, seed: int) -> None:
    draw = random.Random(seed)
    events = told(draw)
    expected = await answers(await heard(client, f"orders-{seed}", events))
    assert len(set(expected)) > 10
    for number in range(3):
        again = [*events, *draw.sample(events, 10)]
        draw.shuffle(again)
        bulk = 17 if number == 2 else 0
        assert await answers(await heard(client, f"orders-{seed}-{number}", again, bulk=bulk)) == expected
