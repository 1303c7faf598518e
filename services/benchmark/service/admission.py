"""Which race a question is about: completed, checked, and whether the caller may see it."""

from collections.abc import Sequence
from datetime import datetime

from livinglab.benchmark.v1 import service_pb2 as pb
from livinglab.common.v1 import options_pb2

from chassis import auth
from chassis.errors import denied, invalid
from directory.assignments import Assignments
from services.benchmark.model import race as model
from services.benchmark.store.live import Live
from services.benchmark.store.projections import STAGES, Store

FIRST_STAGE = STAGES[min(STAGES)]


class Admission:
    """Completes and checks races against the groups that there are."""

    def __init__(self, store: Store, live: Live, regions: model.Regions) -> None:
        self._store = store
        self._live = live
        self._regions = regions
        self.assignments = Assignments(store.db)

    async def groups(self, as_of: datetime | None = None) -> model.Groups:
        """Official groups, and cohorts and clusters as they now are or then were."""
        if as_of is not None:
            return model.Groups(self._regions, await self._store.sets(as_of), past=True)

        async def make() -> model.Groups:
            return model.Groups(self._regions, await self._store.sets())

        return await self._live.remembered("groups", (), make)

    async def race(
        self, asked: pb.Race, targets: Sequence[str] = (), as_of: datetime | None = None
    ) -> tuple[pb.Race, model.Groups]:
        """The race with its stage filled in, if it is one and the caller may see it, and the groups of that time."""
        groups = await self.groups(as_of)
        found = [*model.race_faults(asked, groups, STAGES.values()), *model.target_faults(targets)]
        if found:
            raise invalid(found)
        if asked.rehearsal and auth.caller().role == options_pb2.ROLE_PUBLIC:
            raise denied("REHEARSAL", "rehearsals are not for the public")
        race = pb.Race()
        race.CopyFrom(asked)
        race.stage = asked.stage or FIRST_STAGE
        return race, groups
