"""RPCs in: the race itself. Each method reads the projections and lets the model say what they mean."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import grpc
import grpc.aio
from livinglab.benchmark.v1 import service_pb2 as pb
from livinglab.benchmark.v1 import service_pb2_grpc
from livinglab.common.v1 import options_pb2

from chassis import auth, pages
from chassis.errors import invalid_field
from instruments import periods
from services.benchmark.model import aggregates, disclosure, gaps, likeness, ranking
from services.benchmark.model import race as model
from services.benchmark.service.admission import Admission
from services.benchmark.store.live import Live, RaceKey, race_key
from services.benchmark.store.projections import STAGES, Store


class BenchmarkService(service_pb2_grpc.BenchmarkServiceServicer):
    """The contract, on one store and the institutions that are known."""

    def __init__(self, store: Store, live: Live, admission: Admission, regions: model.Regions) -> None:
        self._store = store
        self._live = live
        self._admission = admission
        self._regions = regions

    async def GetRanking(self, request: pb.GetRankingRequest, context: Any) -> pb.GetRankingResponse:
        return pb.GetRankingResponse.FromString(await self.written_ranking(request, context))

    async def written_ranking(self, request: pb.GetRankingRequest, _context: Any) -> bytes:
        """GetRanking's answer as it goes out: one that is remembered is not written again for each who asks."""
        as_of = request.as_of_time.ToDatetime(UTC) if request.HasField("as_of_time") else None
        race, _ = await self._admission.race(request.race, as_of=as_of)
        first, asked = _position(request), pb.GetRankingRequest()
        asked.CopyFrom(request)
        if request.since_period:
            likeness.require_earlier("since_period", request.since_period, race.period)
        if request.since_previous:
            periods = await (self._store.periods(race, as_of) if as_of else self._periods(race))
            request.since_period = ranking.previous(periods, race.period)

        async def make() -> bytes:
            answer = await self._page(race, request, first, as_of)
            end = first + len(answer.rows)
            answer.next_page_token = pages.token(asked, str(end)) if end < answer.total else ""
            return answer.SerializeToString()

        if as_of is not None:
            return await make()
        name = "ranking", asked.SerializeToString(deterministic=True), request.since_period
        return await self._live.remembered(name, _keys(race, request.since_period), make)

    async def _periods(self, race: pb.Race) -> list[str]:
        async def make() -> list[str]:
            return await self._store.periods(race)

        every = race_key(race, "")
        return await self._live.remembered(("periods", every), [every], make)

    async def _page(
        self, race: pb.Race, request: pb.GetRankingRequest, first: int, as_of: datetime | None = None
    ) -> pb.GetRankingResponse:
        groups = await self._admission.groups(as_of)
        standings = groups.within(race.group, await self._store.standings(race, race.period, as_of))
        standings, chosen = likeness.like(standings, race)
        earlier: list[ranking.Place] = []
        left_out: list[pb.Withheld] = []
        if request.since_period:
            before = groups.within(race.group, await self._store.standings(race, request.since_period, as_of))
            earlier, left_out = ranking.places(chosen.of(before)), chosen.left_out(before, request.since_period)
        places = ranking.places(standings)
        return pb.GetRankingResponse(
            rows=ranking.rows(places[first : first + pages.size(request)], earlier, self._regions),
            total=len(places),
            basis=chosen.basis,
            since_period=request.since_period,
            version=chosen.version,
            withheld=left_out,
        )

    async def WatchRanking(
        self, request: pb.WatchRankingRequest, context: Any
    ) -> AsyncIterator[pb.WatchRankingResponse]:
        race, _ = await self._admission.race(request.race)
        keys = _keys(race, request.since_period)
        whole = pb.GetRankingRequest(race=race, since_period=request.since_period, page_size=_EVERYBODY)
        name = "watched", whole.SerializeToString(deterministic=True)

        async def make() -> pb.GetRankingResponse:
            return await self._page(race, whole, 0)

        shown: list[pb.RankingRow] | None = None
        while True:
            stamp = self._live.stamp(keys)
            page = await self._live.remembered(name, keys, make)
            rows, left = ranking.changes(shown or [], page.rows)
            if shown is None or rows or left:
                yield pb.WatchRankingResponse(complete=shown is None, rows=rows, total=page.total, left=left)
            shown = list(page.rows)
            await self._live.moved(keys, stamp)

    async def GetGap(self, request: pb.GetGapRequest, context: Any) -> pb.GetGapResponse:
        await self._admission.assignments.require(request.institution)
        race, groups = await self._admission.race(request.race, request.targets)
        result = await self._store.result(race, request.institution)
        role_model = await self._store.result(race, request.role_model) if request.role_model else None
        if role_model:
            likeness.require_same_version(result, role_model)
        instrument = await self._store.instrument(result.instrument, result.instrument_version)
        same = [r for r in await self._store.results(race, race.period) if r.values]
        same = [r for r in same if r.instrument_version == result.instrument_version]
        group = self._apart(race, groups, same)
        peers = [peer for peer in same if peer.institution in group.inside]
        lines = [] if request.targets else await self._lines(race, groups, request.institution)
        draft = role_model is not None and await self._is_draft_to_caller(race, role_model)
        if role_model and draft:
            role_model = replace(role_model, values={})
        answer = await asyncio.to_thread(
            gaps.whole_gap, result, role_model, request.targets, lines, instrument, peers, group.reason
        )
        if draft:
            answer.withheld.append(pb.Withheld(what="values of the role model", reason=_NOT_A_HOST))
        return answer

    def _apart(self, race: pb.Race, groups: model.Groups, results: Sequence[model.Result]) -> disclosure.Apart:
        bodies = [result.institution for result in results]
        published, drafts = race.stage == aggregates.PUBLIC_STAGE, auth.caller().role in _SEE_DRAFTS
        return disclosure.apart(race.group, groups, bodies, published=published, drafts=drafts)

    async def _is_draft_to_caller(self, race: pb.Race, other: model.Result) -> bool:
        """Regions, coaches and assessors see another's values once they are published, or where it receives
        visitors."""
        caller = auth.caller()
        reached = caller.bound_to in (None, other.institution) and await self._admission.assignments.reaches(
            caller, other.institution
        )
        if reached or race.stage == aggregates.PUBLIC_STAGE:
            return False
        host = await self._store.setting("hosts", other.institution)
        return not (host and host["visitors"])

    async def _lines(self, race: pb.Race, groups: model.Groups, institution: str) -> list[gaps.Line]:
        """The target lines of every group that the institution is in, in the groups' order."""
        of = {
            row["group"]: row for row in await self._store.settings("targets") if row["instrument"] == race.instrument
        }
        return [
            gaps.Line(group, line["period"], line["target"])
            for group in groups.of(institution)
            for line in of.get(group, {"lines": []})["lines"]
        ]

    async def _set_targets(self, race: pb.Race) -> list[str]:
        """The target lines of the race's group itself, lowest first."""
        rows = await self._store.settings("targets")
        mine = [r for r in rows if (r["instrument"], r["group"]) == (race.instrument, race.group or model.NATION)]
        return sorted({line["target"] for row in mine for line in row["lines"]}, key=Decimal)

    async def GetAggregate(self, request: pb.GetAggregateRequest, context: Any) -> pb.GetAggregateResponse:
        race, groups = await self._admission.race(request.race, request.targets)
        standings = groups.within(race.group, await self._store.standings(race, race.period))
        standings, chosen = likeness.like(standings, race)
        answer = model.aggregate(standings, request.targets or await self._set_targets(race))
        people = {row["_id"]: row["people"] for row in await self._store.settings("populations")}
        aggregates.complete(answer, standings, people)
        if chosen.basis == pb.BASIS_COMPUTED and standings:
            results = [r for r in await self._store.results(race, race.period) if r.computed and r.values]
            if results:
                newest = chosen.version or max(result.instrument_version for result in results)
                same = [result for result in results if result.instrument_version == newest]
                instrument = await self._store.instrument_if_known(race.instrument, newest)
                group = self._apart(race, groups, same)
                await asyncio.to_thread(aggregates.profile, answer, same, instrument, group)
        return answer

    async def ListRaces(self, request: pb.ListRacesRequest, context: Any) -> pb.ListRacesResponse:
        order = list(STAGES.values())
        held = await self._store.races()
        held.sort(key=lambda race: (periods.order(race.period), order.index(race.stage)), reverse=True)
        return pb.ListRacesResponse(races=held)


_EVERYBODY = 100_000
# The others learn values of other institutions once they are published.
_SEE_DRAFTS = {options_pb2.ROLE_MANAGER, options_pb2.ROLE_ASSESSOR, options_pb2.ROLE_COACH, options_pb2.ROLE_SYSTEM}
_NOT_A_HOST = "they are a draft until publication, and it receives no visitors to whom it shows them"


def _keys(race: pb.Race, since_period: str) -> list[RaceKey]:
    """Whose change changes the ranking."""
    return [race_key(race, period) for period in (race.period, since_period) if period]


def add_to_server(servicer: BenchmarkService, server: grpc.aio.Server) -> None:
    """As generated, but for the ranking, which goes out as it was written once."""
    written: Any = grpc.unary_unary_rpc_method_handler(servicer.written_ranking, pb.GetRankingRequest.FromString)
    name = pb.DESCRIPTOR.services_by_name["BenchmarkService"].full_name
    # Before the generated ones, since the first that was added serves.
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, {"GetRanking": written}),))
    service_pb2_grpc.add_BenchmarkServiceServicer_to_server(servicer, server)


def _position(request: pb.GetRankingRequest) -> int:
    """A page of the ranking starts at a place, since ranks are made anew for each answer."""
    place = pages.after(request) or "0"
    if not place.isdecimal():
        raise invalid_field("page_token", "is not one that this service gave")
    return int(place)
