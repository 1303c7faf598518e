"""Cohorts as large as the nation: every official region, with two phases that close once everybody is done."""

import uuid
from collections.abc import Sequence

from livinglab.coaching.v1 import events_pb2 as coaching_events
from livinglab.common.v1 import options_pb2
from livinglab.program.v1 import definition_pb2
from livinglab.program.v1 import service_pb2 as pb

from directory import official_regions
from tests.harness.cohorts.program import request_id

SECRETARY, REGENT = options_pb2.ROLE_SECRETARY, options_pb2.ROLE_REGENT


def every_region() -> list[str]:
    """Provinces, regencies and cities, by code."""
    return sorted(official_regions())


def definition() -> definition_pb2.Definition:
    """A meeting, then a signature; deadlines are days away."""
    kinds = definition_pb2.DutyKind.Value
    meeting = definition_pb2.Phase(
        id="meeting",
        title="Pertemuan",
        opens="2022-11-01",
        closes="2022-12-31",
        invites=[SECRETARY],
        sessions=[
            definition_pb2.DefinedSession(
                id="plenary",
                title="Pertemuan",
                place="Jakarta",
                start="2022-11-02T09:00",
                end="2022-11-02T12:00",
                time_zone="Asia/Jakarta",
            )
        ],
        duties=[
            definition_pb2.Duty(id="attended", kind=kinds("DUTY_KIND_ATTEND"), roles=[SECRETARY], required=True),
        ],
        gate=definition_pb2.Gate(quorum_percent=50, on_miss=definition_pb2.ON_MISS_GO_ON),
    )
    summit = definition_pb2.Phase(
        id="summit",
        title="Komitmen",
        opens="2023-01-01",
        closes="2023-12-31",
        invites=[REGENT],
        duties=[definition_pb2.Duty(id="signed", kind=kinds("DUTY_KIND_SIGN_COMMITMENT"), required=True)],
        gate=definition_pb2.Gate(quorum_percent=50, on_miss=definition_pb2.ON_MISS_GO_ON),
    )
    return definition_pb2.Definition(
        id="nation",
        version=1,
        title="Nation",
        source="made for tests",
        time_zone="Asia/Jakarta",
        phases=[meeting, summit],
    )


def launching(regions: Sequence[str]) -> pb.LaunchCohortRequest:
    """A rehearsal of it with those regions."""
    cohort = definition_pb2.CohortSpec(
        id=f"nation-{uuid.uuid4().hex[:8]}",
        title="Nation",
        definition="nation",
        rehearsal=True,
        seconds_per_day="3600",
        roster=[
            definition_pb2.Participant(
                institution=code,
                people=[
                    definition_pb2.Person(role=role, name=f"{code}", email=f"r{role}@r{code}.example", language="id")
                    for role in (SECRETARY, REGENT)
                ],
            )
            for code in regions
        ],
    )
    return pb.LaunchCohortRequest(request_id=request_id(), definition=definition(), cohort=cohort)


def attended(institution: str) -> coaching_events.AttendanceRecorded:
    """What the meeting asks for."""
    return coaching_events.AttendanceRecorded(institution=institution, phase="meeting", role=SECRETARY)


def signed(institution: str) -> coaching_events.AgreementSigned:
    """What the summit asks for."""
    return coaching_events.AgreementSigned(institution=institution, phase="summit")
