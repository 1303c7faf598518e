"""The whole platform for tests, and a small cohort that is carried through it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from livinglab.benchmark.v1 import service_pb2 as benchmark
from livinglab.common.v1 import options_pb2
from livinglab.program.v1 import cohort_pb2, definition_pb2
from livinglab.program.v1 import service_pb2 as program

from stack.rehearsal import invariants
from stack.rehearsal.conductor import Conductor
from stack.rehearsal.invariants import Finding
from stack.rehearsal.stage import Stage
from stack.servers import mails_folder
from stack.system import System
from stack.waiting import eventually

REGIONS = ("32.11", "33.74", "16.06", "91.71")
_ROLES = (options_pb2.ROLE_SECRETARY, options_pb2.ROLE_HEAD, options_pb2.ROLE_OPERATOR, options_pb2.ROLE_REGENT)
_SEED = "small"
# Everybody acts within seconds of the opening; the deadline is far enough for any server to come back.
HASTE = 0.05


@dataclass(frozen=True)
class Ended:
    """How a cohort ended: its participants, and the race of its last period."""

    cohort: cohort_pb2.Cohort
    states: dict[str, int]
    race: list[tuple[int, str, str]]
    findings: list[Finding]

    @property
    def broken(self) -> list[str]:
        """The invariants that do not hold."""
        return [f"{finding.what}: {finding.found}" for finding in self.findings if not finding.holds]


async def carried_through(system: System, cohort_id: str, watch: Callable[[Stage], None] | None = None) -> Ended:
    """A small cohort from launch to end; `watch` is given the stage before the launch."""
    stage = Stage(system.addresses(), system.fleet.issuer, cohort_id)
    if watch:
        watch(stage)
    try:
        conductor = Conductor(stage, definition(), spec(cohort_id), _SEED, HASTE)
        cohort = await conductor.run(lambda change: None)
        findings = await _settled(system, cohort, stage)
        manager = stage.as_role("manager")
        people = await stage.program().ListParticipants(
            program.ListParticipantsRequest(cohort_id=cohort_id), metadata=manager
        )
        race = benchmark.Race(instrument="spbe-59-2020", period="2023", rehearsal=cohort_id)
        ranking = await stage.benchmark().GetRanking(benchmark.GetRankingRequest(race=race), metadata=manager)
    finally:
        await stage.close()
    states = {participant.institution: participant.state for participant in people.participants}
    return Ended(cohort, states, [(row.rank, row.institution, row.index) for row in ranking.rows], findings)


async def _settled(system: System, cohort: cohort_pb2.Cohort, stage: Stage) -> list[Finding]:
    folder = mails_folder(system.platform.servers["mailbox"].data_dir)
    last: list[Finding] = []

    async def all_hold() -> bool:
        last[:] = await invariants.check(system.servers(), folder, cohort, stage.writes)
        return all(finding.holds for finding in last)

    try:
        await eventually(all_hold, timeout=30)
    except AssertionError:
        return last
    return last


def definition() -> definition_pb2.Definition:
    """Two phases: a short one, and a long one that closes as soon as everybody is done."""
    duty, kinds = definition_pb2.Duty, definition_pb2.DutyKind.Value
    meeting = definition_pb2.Phase(
        id="meeting",
        title="Pertemuan",
        opens="2022-11-01",
        closes="2022-11-03",
        invites=[options_pb2.ROLE_SECRETARY],
        sessions=[
            definition_pb2.DefinedSession(
                id="session",
                title="Pertemuan",
                place="Jakarta",
                start="2022-11-02T09:00",
                end="2022-11-02T12:00",
                time_zone="Asia/Jakarta",
            )
        ],
        duties=[duty(id="attended", kind=kinds("DUTY_KIND_ATTEND"), roles=[options_pb2.ROLE_SECRETARY])],
        gate=definition_pb2.Gate(quorum_percent=50, on_miss=definition_pb2.ON_MISS_GO_ON),
    )
    on = "spbe-59-2020"
    work = definition_pb2.Phase(
        id="work",
        title="Kerja",
        opens="2022-11-04",
        closes="2023-12-31",
        invites=[options_pb2.ROLE_HEAD, options_pb2.ROLE_REGENT],
        duties=[
            duty(id="assessed", kind=kinds("DUTY_KIND_SELF_ASSESS"), instrument=on, period="2022", required=True),
            duty(id="planned", kind=kinds("DUTY_KIND_PLAN_APPROVED"), required=True),
            duty(id="signed", kind=kinds("DUTY_KIND_SIGN_COMMITMENT"), required=True),
            duty(id="followed", kind=kinds("DUTY_KIND_FOLLOW_UP"), share="0.05", required=True),
            duty(id="reassessed", kind=kinds("DUTY_KIND_REASSESS"), instrument=on, period="2023", required=True),
        ],
        gate=definition_pb2.Gate(quorum_percent=50, on_miss=definition_pb2.ON_MISS_GO_ON),
    )
    return definition_pb2.Definition(
        id="small",
        version=1,
        title="Small",
        source="made for tests",
        time_zone="Asia/Jakarta",
        role_model="32.11",
        phases=[meeting, work],
    )


def spec(cohort_id: str, regions: Sequence[str] = REGIONS) -> definition_pb2.CohortSpec:
    """Four regions of three time zones, or others."""
    return definition_pb2.CohortSpec(
        id=cohort_id,
        title="Small cohort",
        definition="small",
        rehearsal=True,
        seconds_per_day="1.0",
        roster=[
            definition_pb2.Participant(
                institution=code,
                people=[_person(role, code) for role in _ROLES],
            )
            for code in regions
        ],
    )


def _person(role: options_pb2.Role.ValueType, code: str) -> definition_pb2.Person:
    return definition_pb2.Person(
        role=role, name=f"Person {role} of {code}", email=f"p{role}@r{code}.example", language="id"
    )
