"""Previews of orders: each is tried on a copy of the cohort's present state."""

from datetime import UTC, datetime

from livinglab.program.v1 import cohort_pb2, command_pb2

from programs import phases
from services.program.engine.client import Engine
from services.program.model.agenda import Cohort
from services.program.model.orders import carried_out
from services.program.model.orders.preview import Trial, preview
from services.program.store.cohorts import Store


class Previews:
    """For every RPC that changes a cohort that runs."""

    def __init__(self, store: Store, engine: Engine) -> None:
        self._store = store
        self._engine = engine

    async def of(self, cohort_id: str, command: command_pb2.Command) -> cohort_pb2.OrderPreview:
        """What the order would bring about; refused as it would be. UNAVAILABLE where no worker answers."""
        course = await self._store.known_course(cohort_id)
        state = await self._engine.progress(cohort_id)
        before = Cohort(course.definition, course.clock, course.participants, state)
        after = before.copy()
        carried_out.carry_out(after, command, datetime.now(UTC))
        rows = await self._store.participants.with_people(cohort_id)
        taken_in = {command.readmit.institution, command.enrol.participant.institution, *command.reopen.institutions}
        roster = {code: people for code, (is_active, people, _) in rows.items() if is_active or code in taken_in}
        if command.HasField("enrol"):
            roster[command.enrol.participant.institution] = list(command.enrol.participant.people)
        excused = 0
        if command.HasField("reopen"):
            phase = phases.find_phase(course.definition, command.reopen.phase)
            duties = {duty.id for duty in phase.duties}
            excused = sum(1 for _, _, spared in rows.values() if duties & set(spared))
        told = await self._store.meetings.told(cohort_id)
        return preview(Trial(before, after, command, told, roster, excused))
