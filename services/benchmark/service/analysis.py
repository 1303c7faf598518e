"""RPCs in: what the race teaches. Each method reads the projections and lets the rules say what they mean."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

from livinglab.benchmark.v1 import analysis_service_pb2 as pb
from livinglab.benchmark.v1 import analysis_service_pb2_grpc, service_pb2

from chassis.errors import Refused, not_found, precondition
from instruments import periods
from instruments.tree import Instrument
from services.benchmark.model import aggregates, disclosure, ladder, learning, likeness, ranking, trends
from services.benchmark.model import race as model
from services.benchmark.service.admission import Admission
from services.benchmark.store.projections import Store

_TEACHERS = 5
_LEAPS = 10


class AnalysisService(analysis_service_pb2_grpc.AnalysisServiceServicer):
    """The contract, on one store and the institutions that are known."""

    def __init__(self, store: Store, admission: Admission, regions: model.Regions) -> None:
        self._store = store
        self._admission = admission
        self._regions = regions
        self._solvers = ThreadPoolExecutor(1, thread_name_prefix="solver")

    async def ListLeaps(self, request: pb.ListLeapsRequest, context: Any) -> pb.ListLeapsResponse:
        targets = [request.target] if request.target else []
        race, groups = await self._admission.race(request.race, targets)
        every = await self._store.periods(race)
        likeness.require_earlier("since_period", request.since_period, race.period)
        likeness.require_like_periods(race.period, request.since_period, every)
        now, chosen = likeness.like(await self._standings(race, groups, race.period), race)
        before = await self._standings(race, groups, request.since_period)
        answer = pb.ListLeapsResponse(
            leaps=ranking.leaps(now, chosen.of(before), self._regions)[: request.size or _LEAPS],
            withheld=chosen.left_out(before, request.since_period),
        )
        if request.target:
            by_period = [
                (period, chosen.of(await self._standings(race, groups, period)))
                for period in every
                if periods.order(period) <= periods.order(race.period)
                and not likeness.unlike(race.period, period, every)
            ]
            answer.firsts.extend(ranking.firsts(by_period, Decimal(request.target), self._regions))
        return answer

    async def ListSeries(self, request: pb.ListSeriesRequest, context: Any) -> pb.ListSeriesResponse:
        race, groups = await self._admission.race(request.race)
        members = groups.members(race.group)
        points = [
            point
            for point in await self._store.every_instrument(race, request.institution)
            if (members is None or point[2].institution in members) and race.version in (0, point[2].version)
        ]
        return trends.series(points, race.basis, self._regions)

    async def GetProjection(self, request: pb.GetProjectionRequest, context: Any) -> pb.GetProjectionResponse:
        await self._admission.assignments.require(request.institution)
        race, groups = await self._admission.race(request.race, [request.target])
        histories, instrument = await self._histories(race, groups, request.institution)
        if not histories and histories.left_out:
            return pb.GetProjectionResponse(period=request.target_period, withheld=histories.left_out)
        if request.institution not in histories:
            raise not_found("result", f"of {request.institution} in {race.instrument}, {race.stage}")
        # In a thread, as all that imports scipy or takes long.
        answer = await asyncio.to_thread(
            trends.projection,
            histories,
            request.institution,
            request.target_period,
            Decimal(request.target),
            _scale(instrument),
        )
        answer.withheld.extend(histories.left_out)
        return answer

    async def GetBackTest(self, request: pb.GetBackTestRequest, context: Any) -> pb.GetBackTestResponse:
        race, groups = await self._admission.race(request.race)
        histories, instrument = await self._histories(race, groups)
        if not histories and not histories.left_out:
            raise not_found("result", f"in {race.instrument}, {race.stage}")
        answer = await asyncio.to_thread(trends.back_test, histories, _scale(instrument))
        answer.withheld.extend(histories.left_out)
        return answer

    async def CompareRaces(self, request: pb.CompareRacesRequest, context: Any) -> pb.CompareRacesResponse:
        before, groups = await self._admission.race(request.before)
        after, _ = await self._admission.race(request.after)
        if different := likeness.mixture(before, after):
            raise precondition(
                "MIXED_RACES", f"the two races differ in {', '.join(different)}, and like is compared with like only"
            )
        likeness.require_earlier("before.period", before.period, after.period)
        likeness.require_like_periods(before.period, after.period, await self._store.periods(after))
        now, chosen = likeness.like(await self._standings(after, groups, after.period), after)
        earlier = await self._standings(before, groups, before.period)
        answer = await asyncio.to_thread(aggregates.before_and_after, chosen.of(earlier), now)
        answer.withheld.extend(chosen.left_out(earlier, before.period))
        return answer

    async def ListTeachers(self, request: pb.ListTeachersRequest, context: Any) -> pb.ListTeachersResponse:
        await self._admission.assignments.require(request.institution)
        race, _ = await self._admission.race(request.race)
        await self._store.result(race, request.institution)
        school = await self._school(race, request.since_period)
        found = learning.teachers(school, request.institution, request.indicator)
        return pb.ListTeachersResponse(teachers=found[: request.size or _TEACHERS])

    async def GetVisitPlan(self, request: pb.GetVisitPlanRequest, context: Any) -> pb.GetVisitPlanResponse:
        race, groups = await self._admission.race(request.race)
        school = await self._school(race, request.since_period)
        members = groups.members(race.group)
        visitors = [code for code in school.results if members is None or code in members]
        if not visitors:
            raise _no_levels(race)
        # Not among the threads that the database's driver and the tokens' keys need.
        solving = asyncio.get_running_loop().run_in_executor
        return await solving(self._solvers, learning.visit_plan, school, visitors, request.indicator)

    async def GetInsights(self, request: pb.GetInsightsRequest, context: Any) -> pb.GetInsightsResponse:
        race, groups = await self._admission.race(request.race)
        everybody = await self._same_version(race, race.period)
        published = race.stage == aggregates.PUBLIC_STAGE
        bodies = [result.institution for result in everybody]
        group = disclosure.apart(race.group, groups, bodies, published=published)
        results = [result for result in everybody if result.institution in group.inside]
        if not results:
            raise _no_levels(race)
        instrument = await self._store.instrument(race.instrument, results[0].instrument_version)
        made = await asyncio.to_thread(ladder.ladder, results, instrument, published=published, withheld=group.reason)
        return pb.GetInsightsResponse(ladder=made)

    async def _standings(self, race: service_pb2.Race, groups: model.Groups, period: str) -> list[model.Standing]:
        return groups.within(race.group, await self._store.standings(race, period))

    async def _histories(
        self, race: service_pb2.Race, groups: model.Groups, institution: str = ""
    ) -> tuple[trends.Histories, Instrument | None]:
        """Every period of the race up to its own, of the group and of one more institution."""
        members = groups.members(race.group)
        points = [
            (period, standing)
            for _, period, standing in await self._store.every_instrument(race, "")
            if (members is None or standing.institution in members or standing.institution == institution)
        ]
        return trends.histories(points, race), await self._store.newest_instrument(race.instrument)

    async def _same_version(self, race: service_pb2.Race, period: str) -> list[model.Result]:
        """Results with values, of the newest version of the instrument that is in use."""
        results = [result for result in await self._store.results(race, period) if result.values]
        newest = race.version or max((result.instrument_version for result in results), default=0)
        return [result for result in results if result.instrument_version == newest]

    async def _school(self, race: service_pb2.Race, since: str) -> learning.School:
        """Everybody's results, what they were before, and who receives visitors."""
        if since:
            likeness.require_earlier("since_period", since, race.period)
        results = await self._same_version(race, race.period)
        if not results:
            raise _no_levels(race)
        earlier: Sequence[model.Standing] = await self._store.standings(race, since) if since else []
        return learning.School(
            instrument=await self._store.instrument(race.instrument, results[0].instrument_version),
            results={result.institution: result for result in results},
            earlier={
                standing.institution: standing.index
                for standing in earlier
                if standing.computed and standing.version in (0, results[0].instrument_version)
            },
            capacity={row["_id"]: row["visitors"] for row in await self._store.settings("hosts")},
            regions=self._regions,
        )


def _no_levels(race: service_pb2.Race) -> Refused:
    """Indices alone say nothing of indicators."""
    return not_found("result", f"with levels of its indicators in {race.instrument}, {race.period}, {race.stage}")


def _scale(instrument: Instrument | None) -> tuple[Decimal, Decimal] | None:
    return (instrument.minimum, instrument.maximum) if instrument else None
