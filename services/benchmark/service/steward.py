"""RPCs in: what managers set for the race, and the rebuild."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from google.protobuf.message import Message
from livinglab.benchmark.v1 import events_pb2, steward_service_pb2_grpc
from livinglab.benchmark.v1 import steward_service_pb2 as pb
from livinglab.benchmark.v1.target_pb2 import TargetLine
from livinglab.common.v1.meta_pb2 import Meta

from chassis import mongo
from chassis.errors import Violation, invalid
from directory.projection import Institutions, require_known
from services.benchmark.model import race
from services.benchmark.service.rebuild import Streams, rebuild
from services.benchmark.store import facts
from services.benchmark.store.live import Live
from services.benchmark.store.projections import Store


class StewardService(steward_service_pb2_grpc.StewardServiceServicer):
    """The contract, on one store and the institutions that are known."""

    def __init__(self, store: Store, live: Live, institutions: Institutions, streams: Streams) -> None:
        self._store = store
        self._live = live
        self._institutions = institutions
        self._streams = streams

    async def SetCluster(self, request: pb.SetClusterRequest, context: Any) -> pb.SetClusterResponse:
        if len(set(request.institutions)) != len(request.institutions):
            raise invalid([Violation("institutions", "names an institution twice")])
        if "." in request.name:
            raise invalid([Violation("name", "holds no dot")])
        named = {f"institutions[{at}]": code for at, code in enumerate(request.institutions)}
        await require_known(self._institutions.known, named)

        async def decide(tx: mongo.Tx) -> pb.SetClusterResponse:
            event = events_pb2.ClusterSet(name=request.name, institutions=sorted(request.institutions))
            row = await self._set(tx, event, f"cluster:{request.name}")
            return pb.SetClusterResponse(cluster=_cluster(row))

        return await self._store.db.once(request, decide, pb.SetClusterResponse)

    async def ListClusters(self, request: pb.ListClustersRequest, context: Any) -> pb.ListClustersResponse:
        rows = await self._store.settings("clusters")
        return pb.ListClustersResponse(clusters=[_cluster(row) for row in rows if row["institutions"]])

    async def SetTargets(self, request: pb.SetTargetsRequest, context: Any) -> pb.SetTargetsResponse:
        known = await self._store.newest_instrument(request.instrument)
        faults = race.line_faults(request.lines, known)
        group = request.group or race.NATION
        # A target may be set for a cluster before it is named.
        if not group.startswith("cluster:") and (description := race.Groups(self._institutions.known).fault(group)):
            faults.append(Violation("group", description))
        if len({line.period for line in request.lines}) != len(request.lines):
            faults.append(Violation("lines", "a period has one target"))
        if faults:
            raise invalid(faults)

        async def decide(tx: mongo.Tx) -> pb.SetTargetsResponse:
            lines = sorted(request.lines, key=lambda line: line.period)
            event = events_pb2.TargetsSet(instrument=request.instrument, group=group, lines=lines)
            row = await self._set(tx, event, f"targets:{request.instrument}/{group}")
            return pb.SetTargetsResponse(targets=_targets(row))

        return await self._store.db.once(request, decide, pb.SetTargetsResponse)

    async def ListTargets(self, request: pb.ListTargetsRequest, context: Any) -> pb.ListTargetsResponse:
        rows = await self._store.settings("targets")
        return pb.ListTargetsResponse(targets=[_targets(row) for row in rows if row["lines"]])

    async def SetHostCapacity(self, request: pb.SetHostCapacityRequest, context: Any) -> pb.SetHostCapacityResponse:
        if request.visitors:
            await require_known(self._institutions.known, {"institution": request.institution})

        async def decide(tx: mongo.Tx) -> pb.SetHostCapacityResponse:
            event = events_pb2.HostCapacitySet(institution=request.institution, visitors=request.visitors)
            await self._set(tx, event, f"host:{request.institution}")
            return pb.SetHostCapacityResponse(institution=request.institution, visitors=request.visitors)

        return await self._store.db.once(request, decide, pb.SetHostCapacityResponse)

    async def SetPopulation(self, request: pb.SetPopulationRequest, context: Any) -> pb.SetPopulationResponse:
        # What was set for nobody can still be taken back.
        if request.people:
            await require_known(self._institutions.known, {"institution": request.institution})

        async def decide(tx: mongo.Tx) -> pb.SetPopulationResponse:
            event = events_pb2.PopulationSet(institution=request.institution, people=request.people)
            await self._set(tx, event, f"population:{request.institution}")
            return pb.SetPopulationResponse(institution=request.institution, people=request.people)

        return await self._store.db.once(request, decide, pb.SetPopulationResponse)

    async def Rebuild(self, request: pb.RebuildRequest, context: Any) -> AsyncIterator[pb.RebuildResponse]:
        async for told in rebuild(self._store, self._institutions, self._streams):
            if told.done:
                # Who is told so and asks here is answered from the new projections.
                await self._live.caught_up()
            yield told

    async def _set(self, tx: mongo.Tx, event: Message, aggregate: str) -> Mapping[str, Any]:
        """Keeps the setting and tells it, one version on."""
        now = facts.of_setting(event)[0]
        before = await self._store.setting(now.collection, now.row["_id"], tx.session)
        version = (before["order"] if before else 0) + 1
        event.meta.CopyFrom(Meta(aggregate_id=aggregate, version=version))  # type: ignore[attr-defined]
        # First, since it says when.
        tx.add(event)
        writes = facts.of_setting(event)
        await self._store.set(tx, writes)
        return writes[0].row


def _cluster(row: Mapping[str, Any]) -> pb.Cluster:
    return pb.Cluster(name=row["_id"], institutions=row["institutions"], version=row["order"])


def _targets(row: Mapping[str, Any]) -> pb.GroupTargets:
    lines = [TargetLine(period=line["period"], target=line["target"]) for line in row["lines"]]
    return pb.GroupTargets(instrument=row["instrument"], group=row["group"], lines=lines, version=row["order"])
