"""The directory on real servers: what program registers, and what the others make of the fact."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
from livinglab.assessment.v1 import results_service_pb2, service_pb2
from livinglab.assessment.v1.results_service_pb2_grpc import ResultServiceStub
from livinglab.assessment.v1.service_pb2_grpc import AssessmentServiceStub
from livinglab.benchmark.v1 import service_pb2 as benchmark_pb
from livinglab.benchmark.v1 import steward_service_pb2 as steward_pb
from livinglab.benchmark.v1.target_pb2 import TargetLine
from livinglab.coaching.v1 import visit_pb2, visit_service_pb2
from livinglab.coaching.v1.visit_service_pb2_grpc import VisitServiceStub
from livinglab.program.v1 import directory_service_pb2 as pb
from livinglab.program.v1.directory_events_pb2 import InstitutionRegistered
from livinglab.program.v1.directory_service_pb2_grpc import DirectoryServiceStub

from chassis.errors import Kind, Refused
from directory import Institution, official_regions
from directory.known import Directory
from stack.issuer import Issuer
from tests.harness.cohorts.program import launching
from tests.harness.cohorts.program import manager as managing_cohorts
from tests.harness.command_line import CommandLine
from tests.harness.race import SPBE, counted, imported, race, steward
from tests.harness.servers import Servers
from tests.harness.service import Running, refusal, running_service
from tests.harness.waiting import eventually

KOREA = ("KOR", "Republic of Korea", "country", "")
SEOUL = ("KOR-11", "Seoul", "city", "KOR")
BUSAN = ("KOR-26", "Busan", "city", "KOR")


def directory(program: Running, role: str = "manager") -> Any:
    return program.as_role(DirectoryServiceStub, role)


def request(
    *institutions: tuple[str, str, str, str], request_id: str = "", validate_only: bool = False
) -> pb.ImportInstitutionsRequest:
    rows = [
        pb.InstitutionRow(line=line, code=code, name=name, kind=kind, parent=parent)
        for line, (code, name, kind, parent) in enumerate(institutions, start=2)
    ]
    return pb.ImportInstitutionsRequest(
        request_id=request_id or uuid.uuid4().hex, validate_only=validate_only, rows=rows
    )


async def register(program: Running, *institutions: tuple[str, str, str, str], **more: Any) -> tuple[int, int]:
    answer = await directory(program).ImportInstitutions(iter([request(*institutions, **more)]))
    assert not answer.rejected
    return answer.imported, answer.unchanged


async def listed(program: Running, size: int = 0, **keys: str) -> list[str]:
    found, token = [], ""
    while True:
        asked = pb.ListInstitutionsRequest(page_size=size, page_token=token, **keys)
        page = await directory(program, "public").ListInstitutions(asked)
        found += [one.code for one in page.institutions]
        token = page.next_page_token
        if not token:
            return found


async def told(program: Running, count: int) -> list[InstitutionRegistered]:
    async def all_of_them() -> list[InstitutionRegistered]:
        waiting = await program.db["outbox"].count_documents({"pending": True})
        found = await program.published(InstitutionRegistered)
        return found if not waiting and len(found) >= count else []

    found = await eventually(all_of_them)
    assert len(found) == count
    return found


async def test_the_same_file_twice_changes_nothing_and_a_change_is_a_new_version_and_fact(program: Running) -> None:
    sumedang = ("32.11", "Kabupaten Sumedang", "kabupaten", "32")
    assert await register(program, SEOUL, KOREA, sumedang) == (2, 1)
    assert await register(program, SEOUL, KOREA, sumedang) == (0, 3)
    assert await register(program, SEOUL, ("KOR", "Korea", "country", "")) == (1, 1)
    facts = await told(program, 3)
    assert sorted((fact.meta.aggregate_id, fact.meta.version, fact.code, fact.name) for fact in facts) == [
        ("KOR", 1, "KOR", "Republic of Korea"),
        ("KOR", 2, "KOR", "Korea"),
        ("KOR-11", 1, "KOR-11", "Seoul"),
    ]
    found = (await directory(program).GetInstitution(pb.GetInstitutionRequest(code="KOR"))).institution
    assert found == pb.Institution(code="KOR", name="Korea", kind="country", version=2)
    official = (await directory(program).GetInstitution(pb.GetInstitutionRequest(code="32.11"))).institution
    assert official == pb.Institution(code="32.11", name="Kabupaten Sumedang", kind="kabupaten", parent="32")
    nobody = await refusal(directory(program).GetInstitution(pb.GetInstitutionRequest(code="PRK")))
    assert nobody.kind is Kind.NOT_FOUND


async def test_one_bad_row_and_nothing_is_stored_each_named_by_its_line(program: Running) -> None:
    sunda = ("32", "Sunda", "kingdom", "")
    answer = await directory(program).ImportInstitutions(
        iter([request(KOREA, sunda, ("X", "X", "city", "nobody"), ("KOR-11", "Seoul", "city", "KOR"))])
    )
    assert [(row.line, row.reason.partition(",")[0]) for row in answer.rejected] == [
        (3, "32 is an official region"),
        (4, "parent 'nobody' is neither an official region"),
    ]
    assert (answer.imported, answer.unchanged, answer.rejected_count) == (0, 0, 2)
    assert await program.db["institutions"].count_documents({}) == 0
    assert await program.db["outbox"].count_documents({}) == 0


async def test_a_dry_run_counts_and_stores_nothing(program: Running) -> None:
    assert await register(program, KOREA, SEOUL, validate_only=True) == (2, 0)
    assert await program.db["institutions"].count_documents({}) == 0
    assert await program.db["outbox"].count_documents({}) == 0


async def test_a_repeated_request_gets_the_first_answer_and_another_one_needs_another_id(program: Running) -> None:
    assert await register(program, KOREA, request_id="r1") == (1, 0)
    await register(program, ("KOR", "Korea", "country", ""))
    assert await register(program, KOREA, request_id="r1") == (1, 0)
    found = (await directory(program).GetInstitution(pb.GetInstitutionRequest(code="KOR"))).institution
    assert (found.name, found.version) == ("Korea", 2)
    refused = await refusal(directory(program).ImportInstitutions(iter([request(SEOUL, request_id="r1")])))
    assert refused.reason == "REQUEST_ID_REUSED"
    two = [request(KOREA, request_id="a"), request(SEOUL, request_id="b")]
    assert (await refusal(directory(program).ImportInstitutions(iter(two)))).violations[0].field == "request_id"
    assert (await refusal(directory(program).ImportInstitutions(iter([])))).kind is Kind.INVALID_ARGUMENT


async def test_two_imports_at_once_make_no_circle(program: Running) -> None:
    await register(program, ("a", "A", "unit", ""), ("b", "B", "unit", ""))
    answers = await asyncio.gather(
        *(
            directory(program).ImportInstitutions(iter([request((code, code.upper(), "unit", parent))]))
            for code, parent in (("a", "b"), ("b", "a"))
        )
    )
    assert sorted((answer.imported, answer.rejected_count) for answer in answers) == [(0, 1), (1, 0)]


async def test_only_managers_and_the_platform_team_register(program: Running) -> None:
    for role in ("operator", "assessor", "coach", "public"):
        refused = await refusal(directory(program, role).ImportInstitutions(iter([request(KOREA)])))
        assert refused.kind is Kind.PERMISSION_DENIED
    assert (await directory(program, "platform").ImportInstitutions(iter([request(KOREA)]))).imported == 1


async def test_a_list_holds_regions_and_registered_ones_by_code_page_by_page(program: Running) -> None:
    cities = [(f"32.11-{n}", f"Desa {n}", "desa", "32.11") for n in range(5)]
    await register(program, KOREA, SEOUL, BUSAN, *cities)
    everybody = await listed(program, 7)
    assert everybody == sorted([*official_regions(), "KOR", "KOR-11", "KOR-26", *(city[0] for city in cities)])
    assert await listed(program, 1, kind="city") == ["KOR-11", "KOR-26"]
    assert await listed(program, 2, parent="32.11") == [city[0] for city in cities]
    assert await listed(program, kind="kota", parent="31") == [f"31.7{n}" for n in range(1, 6)]
    assert await listed(program, kind="planet") == []
    bad = directory(program).ListInstitutions(pb.ListInstitutionsRequest(page_token="nonsense"))
    assert (await refusal(bad)).violations[0].field == "page_token"


async def test_a_cohort_may_be_of_registered_institutions_as_soon_as_they_are(program: Running) -> None:
    asked = launching()
    asked.validate_only = True
    for at, code in enumerate(("KOR", "KOR-11")):
        asked.cohort.roster[at].institution = code
    refused = await refusal(managing_cohorts(program).LaunchCohort(asked))
    assert [v.field for v in refused.violations] == [f"cohort.roster[{at}].institution" for at in range(2)]
    await register(program, KOREA, SEOUL)
    cohort = (await managing_cohorts(program).LaunchCohort(asked)).cohort
    assert cohort.participants == 2


async def test_a_roster_is_checked_against_the_platform_where_one_runs(
    program: Running, issuer: Issuer, tmp_path: Path
) -> None:
    roster = tmp_path / "roster.csv"
    roster.write_text("institution,role,name,email,language\nKOR,head,Kim,kim@kor.example,en\n")
    here = CommandLine({"program": program}, issuer.token("coach"), tmp_path)
    code, _, err = await here.run("cohort", "validate", roster)
    assert (code, err) == (1, "roster.csv: line 2: 'KOR' is not a known institution\n")
    await register(program, KOREA)
    assert (await here.json("cohort", "validate", roster))["valid"]
    nowhere = CommandLine({}, issuer.token("coach"), tmp_path)
    code, _, err = await nowhere.run("cohort", "validate", roster)
    assert (code, err.splitlines()[1:]) == (
        1,
        [
            "no directory can be asked: only the official regions are known",
            "roster.csv: line 2: 'KOR' is not a known institution",
        ],
    )


def fact(code: str, name: str, kind: str, parent: str = "") -> InstitutionRegistered:
    return InstitutionRegistered(code=code, name=name, kind=kind, parent=parent)


async def hear(service: Running, *institutions: tuple[str, str, str, str], version: int = 1) -> None:
    for one in institutions:
        await service.hear(fact(*one), version=version, aggregate_id=one[0])


async def test_assessment_opens_evaluations_of_those_it_has_heard_of(
    servers: Servers, issuer: Issuer, nats_url: str
) -> None:
    async with AsyncExitStack() as stack:
        prefix = f"t{uuid.uuid4().hex[:8]}_"
        first, second = [
            await stack.enter_async_context(
                running_service("assessment", servers, issuer, nats_url, database_prefix=prefix)
            )
            for _ in range(2)
        ]
        asked = {"institution": "KOR", "instrument": SPBE, "period": "2022"}

        def opening(replica: Running, role: str = "manager") -> Awaitable[Any]:
            stub = replica.as_role(AssessmentServiceStub, role)
            return stub.OpenEvaluation(service_pb2.OpenEvaluationRequest(request_id=uuid.uuid4().hex, **asked))

        refused = await refusal(opening(first))
        assert [str(v) for v in refused.violations] == [
            "institution: KOR is not a known institution, or not known here yet"
        ]
        # The program has it in its directory, or it would not ask: its workflow tries again.
        refused = await refusal(opening(first, "system"))
        assert (refused.kind, refused.reason) == (Kind.ABORTED, "INSTITUTION_NOT_HEARD")
        await hear(first, KOREA)
        for replica in (first, second):
            await eventually(partial(taken, partial(opening, replica)))


async def taken(call: Callable[[], Awaitable[Any]]) -> bool:
    """Whether it was not refused."""
    try:
        await call()
    except grpc.aio.AioRpcError:
        return False
    return True


async def test_an_import_of_results_waits_a_moment_for_a_registration_on_its_way(
    servers: Servers, issuer: Issuer, nats_url: str
) -> None:
    async with running_service("assessment", servers, issuer, nats_url) as assessment:
        stub = assessment.as_role(ResultServiceStub, "manager")

        def import_of(*codes: str) -> Awaitable[results_service_pb2.ImportResultsResponse]:
            rows = [
                results_service_pb2.ImportRow(
                    line=n, institution=code, instrument=SPBE, period="2022", stage="publication", value="3"
                )
                for n, code in enumerate(codes, start=2)
            ]
            return stub.ImportResults(
                iter([results_service_pb2.ImportResultsRequest(request_id=uuid.uuid4().hex, rows=rows)])
            )

        importing = asyncio.ensure_future(import_of("KOR", "KOR-11", "32.11"))
        await hear(assessment, KOREA, SEOUL)
        assert (await importing).imported == 3
        answer = await import_of("KOR", "PRK")
        assert [(row.line, row.reason) for row in answer.rejected] == [(3, "institution 'PRK' is not known")]


async def test_coaching_plans_visits_abroad_by_the_clock_of_nowhere(
    servers: Servers, issuer: Issuer, nats_url: str
) -> None:
    async with running_service("coaching", servers, issuer, nats_url) as coaching:
        stub = coaching.as_role(VisitServiceStub, "manager")
        plan = visit_service_pb2.PlanVisitRequest(
            request_id="r1", visitor="32.11", host="KOR-11", start_date="2023-05-29", end_date="2023-06-02"
        )
        refused = await refusal(stub.PlanVisit(plan))
        assert [v.field for v in refused.violations] == ["host"]
        await hear(coaching, KOREA, SEOUL)
        plan.request_id = "r2"
        await eventually(partial(taken, partial(stub.PlanVisit, plan)))
        visit = (await stub.PlanVisit(plan)).visit
        lessons = [visit_pb2.Lesson(text="a plan", indicators=["1"])]
        held = visit_service_pb2.ConfirmVisitHeldRequest(request_id="r3", visit_id=visit.id, lessons=lessons)
        assert (await stub.ConfirmVisitHeld(held)).visit.host == "KOR-11"


@pytest.fixture
async def benchmark(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[Running]:
    async with running_service("benchmark", servers, issuer, nats_url) as running:
        yield running


async def names(benchmark: Running, group: str = "") -> dict[str, str]:
    """Who is in the group, as it is called."""
    asked = benchmark_pb.Race(instrument="egdi", period="2018", stage="publication", group=group)
    answer = await race(benchmark).GetRanking(benchmark_pb.GetRankingRequest(race=asked))
    return {row.institution: row.name for row in answer.rows}


async def test_the_race_names_and_groups_whom_it_has_heard_of(benchmark: Running) -> None:
    for code, index in (("KOR", "0.9"), ("KOR-11", "0.8"), ("KOR-26", "0.7")):
        await imported(benchmark, code, index, "2018")
    await eventually(lambda: counted(benchmark, "results", 3))
    assert await names(benchmark) == {"KOR": "KOR", "KOR-11": "KOR-11", "KOR-26": "KOR-26"}
    refused: Refused = await refusal(names(benchmark, "kind:city"))
    assert refused.violations[0].field == "race.group"
    await hear(benchmark, KOREA, SEOUL, BUSAN)

    async def all_named() -> bool:
        return await names(benchmark) == {one[0]: one[1] for one in (KOREA, SEOUL, BUSAN)}

    await eventually(all_named)
    assert await names(benchmark, "kind:city") == {"KOR-11": "Seoul", "KOR-26": "Busan"}
    assert await names(benchmark, "parent:KOR") == {"KOR-11": "Seoul", "KOR-26": "Busan"}
    await hear(benchmark, ("KOR-26", "Pusan", "city", ""), version=2)

    async def renamed() -> bool:
        return (await names(benchmark))["KOR-26"] == "Pusan"

    await eventually(renamed)
    assert await names(benchmark, "parent:KOR") == {"KOR-11": "Seoul"}
    # What is older than what is known changes nothing.
    await hear(benchmark, BUSAN, version=1)
    await hear(benchmark, KOREA, version=3)
    await eventually(lambda: stored(benchmark, "KOR", 3))
    assert (await names(benchmark))["KOR-26"] == "Pusan"
    lines = [TargetLine(period="2020", target="0.9")]
    targets = steward_pb.SetTargetsRequest(request_id="t", instrument="egdi", group="parent:KOR", lines=lines)
    assert (await steward(benchmark).SetTargets(targets)).targets.group == "parent:KOR"


async def stored(service: Running, code: str, version: int) -> bool:
    return bool(await service.db["institutions"].count_documents({"_id": code, "version": version}))


async def test_a_rebuild_of_a_lost_database_knows_the_institutions_again(
    benchmark: Running, servers: Servers, issuer: Issuer, nats_url: str
) -> None:
    await hear(benchmark, KOREA, SEOUL, BUSAN)
    await hear(benchmark, ("KOR-26", "Pusan", "city", "KOR"), version=2)
    for code, index in (("KOR", "0.9"), ("KOR-11", "0.8"), ("KOR-26", "0.7")):
        await imported(benchmark, code, index, "2018")
    await eventually(lambda: counted(benchmark, "results", 3))
    await eventually(lambda: stored(benchmark, "KOR-26", 2))
    expected = {"KOR-11": "Seoul", "KOR-26": "Pusan"}

    async def grouped() -> bool:
        return await names(benchmark, "parent:KOR") == expected

    await eventually(grouped)
    # What a fault has broken is mended too.
    await benchmark.db["institutions"].update_one({"_id": "KOR-26"}, {"$set": {"name": "wrong"}})
    await require_rebuilt(benchmark, expected)
    async with running_service("benchmark", servers, issuer, nats_url) as empty:
        await require_rebuilt(empty, expected)


async def require_rebuilt(benchmark: Running, expected: dict[str, str]) -> None:
    rebuilding = steward(benchmark).Rebuild(steward_pb.RebuildRequest(request_id="r"))
    assert [said async for said in rebuilding][-1].done
    assert await names(benchmark, "parent:KOR") == expected
    row = await benchmark.db["institutions"].find_one({"_id": "KOR-26"})
    assert (row["name"], row["version"]) == ("Pusan", 2)


async def test_who_waits_for_a_registration_goes_on_when_it_comes() -> None:
    known = Directory()
    waiting = asyncio.create_task(known.heard_of({"KOR", "KOR-11", "32.11"}, 60))
    await asyncio.sleep(0)
    known.learn([Institution(*KOREA, 1)])
    await asyncio.sleep(0)
    assert not waiting.done()
    known.learn([Institution(*SEOUL, 1)])
    assert await waiting
    assert not await known.heard_of({"PRK"}, 0.001)
    # Not waited for again, until there is news.
    assert not await known.heard_of({"PRK"}, 60)
    known.learn([Institution(*BUSAN, 1)])
    assert not await known.heard_of({"PRK"}, 0.001)
