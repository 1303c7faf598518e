"""RPCs in: each method reads the projections and lets the model say what they mean."""

from collections.abc import Mapping, Sequence
from typing import Any

from livinglab.benchmark.v1 import service_pb2 as pb
from livinglab.benchmark.v1 import service_pb2_grpc
from livinglab.common.v1 import options_pb2

from chassis import auth, mongo
from chassis.errors import denied, invalid, invalid_field
from services.benchmark import gaps, model, ranking
from services.benchmark.store import STAGES, Store

_FIRST_STAGE = STAGES[min(STAGES)]


class BenchmarkService(service_pb2_grpc.BenchmarkServiceServicer):
    """The contract, on one store and the institutions that are known."""

    def __init__(self, store: Store, regions: Mapping[str, model.Region]) -> None:
        self._store = store
        self._regions = regions
        self._groups = model.Groups(regions)

    async def GetRanking(self, request: pb.GetRankingRequest, context: Any) -> pb.GetRankingResponse:
        race = self._admitted(request.race)
        first = _position(request.page_token)
        places = await self._places(race, race.period)
        earlier = await self._places(race, request.since_period) if request.since_period else []
        end = first + mongo.page_size(request.page_size)
        return pb.GetRankingResponse(
            rows=ranking.rows(places[first:end], earlier, self._regions),
            total=len(places),
            next_page_token=mongo.page_token(str(end)) if end < len(places) else "",
        )

    async def GetGap(self, request: pb.GetGapRequest, context: Any) -> pb.GetGapResponse:
        auth.caller().require_institution(request.institution)
        race = self._admitted(request.race, request.targets)
        result = await self._store.result(race, request.institution)
        role_model = await self._store.result(race, request.role_model) if request.role_model else None
        instrument = await self._store.instrument(result.instrument, result.instrument_version)
        return gaps.gap(result, role_model, request.targets, instrument)

    async def GetAggregate(self, request: pb.GetAggregateRequest, context: Any) -> pb.GetAggregateResponse:
        race = self._admitted(request.race, request.targets)
        standings = await self._store.standings(race, race.period)
        return model.aggregate(self._groups.within(race.group, standings), request.targets)

    async def _places(self, race: pb.Race, period: str) -> list[ranking.Place]:
        return ranking.places(self._groups.within(race.group, await self._store.standings(race, period)))

    def _admitted(self, asked: pb.Race, targets: Sequence[str] = ()) -> pb.Race:
        """The race with its stage filled in, if it is one and the caller may see it."""
        faults = model.race_faults(asked, self._groups, STAGES.values()) + model.target_faults(targets)
        if faults:
            raise invalid(faults)
        if asked.rehearsal and auth.caller().identity.roles <= {options_pb2.ROLE_PUBLIC}:
            raise denied("REHEARSAL", "rehearsals are not for the public")
        race = pb.Race()
        race.CopyFrom(asked)
        race.stage = asked.stage or _FIRST_STAGE
        return race


def _position(token: str) -> int:
    """A page of the ranking starts at a place, since ranks are made anew for each answer."""
    text = mongo.after(token)["_id"]["$gt"] if token else "0"
    if not text.isdecimal():
        raise invalid_field("page_token", "is not one that this service gave")
    return int(text)
