"""Releases of the worker, for the platform team."""

from typing import Any

from livinglab.program.v1 import release_service_pb2 as pb

from chassis import mongo
from services.program.engine.releases import Releases


class ReleaseService:
    """What Temporal says, asked anew each time."""

    def __init__(self, releases: Releases) -> None:
        self._releases = releases

    async def GetReleases(self, request: pb.GetReleasesRequest, context: Any) -> pb.GetReleasesResponse:
        """Builds and workers."""
        builds, workers = await self._releases.now()
        return pb.GetReleasesResponse(
            builds=[
                pb.Build(id=b.id, state=b.state, percent=b.percent, cohorts=b.leading, workflows=b.workflows)
                for b in builds
            ],
            workers=[
                pb.Worker(identity=w.identity, build_id=w.build_id, seen_time=mongo.timestamp(w.seen)) for w in workers
            ],
        )
