"""What people who are not managers see of a cohort: its participants see all of it, others only how it stands."""

from livinglab.common.v1 import options_pb2
from livinglab.program.v1 import cohort_pb2

from chassis import auth
from chassis.errors import denied
from directory.assignments import Assignments
from services.program.store.cohorts import Store

_EVERYTHING = frozenset({options_pb2.ROLE_MANAGER, options_pb2.ROLE_PLATFORM, options_pb2.ROLE_SYSTEM})


class Access:
    """Who takes part in which cohort: its participants, their coaches and their assessors."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.assignments = Assignments(store.db)

    async def shown(self, cohort: cohort_pb2.Cohort) -> cohort_pb2.Cohort:
        """The cohort as the caller may see it: who is waited for, and what went wrong, is for those who take part."""
        if not await self._takes_part(cohort.id):
            del cohort.problems[:]
            del cohort.troubled[:]
            cohort.ClearField("troubled_count")
            for phase in cohort.phases:
                del phase.blockers[:]
                del phase.proposals[:]
        return cohort

    async def require_part(self, cohort_id: str) -> frozenset[str] | None:
        """Whose rows of the cohort a coach sees; None where the caller sees all. PERMISSION_DENIED for a coach of
        nobody in it."""
        caller = auth.caller()
        cohorts = await self.assignments.cohorts(caller)
        if cohorts is None:
            return None
        if cohort_id not in cohorts:
            raise denied("NOT_ASSIGNED", f"{caller.subject} is not assigned to anybody in cohort {cohort_id}")
        return await self.assignments.reached(caller)

    async def _takes_part(self, cohort_id: str) -> bool:
        caller = auth.caller()
        if caller.role in _EVERYTHING:
            return True
        if caller.bound_to is not None:
            return await self._store.participants.known(cohort_id, caller.bound_to)
        return cohort_id in (await self.assignments.cohorts(caller) or ())
