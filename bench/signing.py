"""The fact that moves a measured cohort: a regent signs the commitment of a phase."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any

from livinglab.coaching.v1 import service_pb2 as coaching
from livinglab.coaching.v1.service_pb2_grpc import CoachingServiceStub
from livinglab.program.v1 import workflow_pb2 as pb

from bench.cohorts import Connected, OurCohort
from bench.effects import Side
from chassis import naming
from programs import names
from stack.process import Process

_IN_FLIGHT = 16


class Signing:
    """The fact of ours: a regent signs the commitment of a phase."""

    def __init__(self, at: Connected, cohort: OurCohort) -> None:
        self._coaching = CoachingServiceStub(at.coaching)
        self._cohort = cohort
        self._tokens = {code: at.token("regent", code) for code in cohort.institutions}
        self._slots = asyncio.Semaphore(_IN_FLIGHT)

    async def sign(self, institution: str, phase: str) -> None:
        """Again changes nothing."""
        request = coaching.SignAgreementRequest(
            request_id=naming.new_id(),
            cohort_id=self._cohort.id,
            phase=phase,
            institution=institution,
            signatory="the regent",
            rehearsal=self._cohort.id,
        )
        async with self._slots:
            signed: Awaitable[Any] = self._coaching.SignAgreement(
                request, metadata=self._tokens[institution], timeout=60
            )
            await signed

    async def everything(self) -> None:
        """By everybody, in every phase, also in those that have not opened."""
        for phase in reversed(self._cohort.phases):
            await asyncio.gather(*(self.sign(code, phase) for code in self._cohort.institutions))


def our_side(at: Connected, worker: Process, cohort: OurCohort, signing: Signing) -> Side:
    """A cohort of ours, to be told facts of its first phase."""

    def workflow_id(institution: str) -> str:
        return names.workflow_id(cohort.id, institution)

    async def known(institution: str) -> Sequence[str]:
        handle = at.temporal.get_workflow_handle(workflow_id(institution))
        record: pb.ParticipantRecord = await handle.query("progress", result_type=pb.ParticipantRecord)
        return record.duties

    return Side(
        temporal=at.temporal,
        worker=worker,
        tell=lambda institution: signing.sign(institution, cohort.phases[0]),
        workflow_id=workflow_id,
        known=known,
        signal="duties_done",
    )
