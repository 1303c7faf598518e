"""Import of earlier results: a file's rows in, on a real database and broker; every bad row named, nothing twice."""

import io
import uuid
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal

import pytest
from livinglab.assessment.v1 import evaluation_pb2, results_events_pb2
from livinglab.assessment.v1 import results_service_pb2 as pb
from livinglab.assessment.v1.results_service_pb2_grpc import ResultServiceStub

from chassis.errors import Kind
from cli.assessment.results_file import rows_of
from stack.issuer import Issuer
from tests.harness.servers import Servers
from tests.harness.service import Running, refusal, running_service
from tests.harness.waiting import eventually

INDEX = "institution,instrument,period,stage,index\n"
ITEMS = "institution,instrument,period,stage,indicator,level\n"
SPBE = "spbe-59-2020"


@pytest.fixture
async def assessment(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[Running]:
    async with running_service("assessment", servers, issuer, nats_url) as running:
        yield running


async def imported(
    assessment: Running, text: str | bytes, *, partial: bool = False, validate_only: bool = False
) -> pb.ImportResultsResponse:
    manager = assessment.as_role(ResultServiceStub, "manager")
    content = text.encode() if isinstance(text, str) else text

    def requests() -> Iterator[pb.ImportResultsRequest]:
        head = pb.ImportResultsRequest(request_id=uuid.uuid4().hex, partial=partial, validate_only=validate_only)
        yield head
        for row in rows_of(io.BytesIO(content)):
            yield pb.ImportResultsRequest(request_id=head.request_id, rows=[row])

    return await manager.ImportResults(requests())


async def results(assessment: Running, institution: str = "") -> list[pb.Result]:
    manager = assessment.as_role(ResultServiceStub, "manager")
    return list((await manager.ListResults(pb.ListResultsRequest(institution=institution))).results)


def items(
    institution: str, level: int | str = 3, stage: str = "publication", changed: dict[int, int] | None = None
) -> str:
    levels = dict.fromkeys(range(1, 48), level) | (changed or {})
    return "".join(f"{institution},{SPBE},2022,{stage},{code},{value}\n" for code, value in levels.items())


async def test_published_indices_are_taken_once_and_told_to_others(assessment: Running) -> None:
    text = INDEX + f"32.11,{SPBE},2022,publication,3.84\n32.04,{SPBE},2022,publication,2.6\n"
    first = await imported(assessment, text)
    assert (first.imported, first.unchanged, list(first.rejected)) == (2, 0, [])
    again = await imported(assessment, text)
    assert (again.imported, again.unchanged) == (0, 2)
    facts = await eventually(lambda: assessment.published(results_events_pb2.ResultImported))
    assert sorted((f.institution, f.published_index, f.published_predicate, f.meta.version) for f in facts) == [
        ("32.04", "2.60", "Baik", 1),
        ("32.11", "3.84", "Sangat Baik", 1),
    ]


async def test_an_instrument_outside_its_years_is_told_of_what_is_taken(assessment: Running) -> None:
    text = INDEX + "".join(f"32.11,{SPBE},{year},publication,3.84\n" for year in (2019, 2022, 2035))
    answer = await imported(assessment, text)
    assert (answer.imported, [doubt.rpartition(" ")[2] for doubt in answer.doubts]) == (3, ["2019", "2035"])
    assert list((await imported(assessment, INDEX + f"32.04,{SPBE},2022,publication,2.6\n")).doubts) == []


async def test_items_are_scored_and_the_published_index_stays_beside_the_computed_one(assessment: Running) -> None:
    assert (await imported(assessment, ITEMS + items("32.11", 3, changed={1: 5}))).imported == 1
    answer = await imported(assessment, INDEX + f"32.11,{SPBE},2022,published,3.05\n")
    assert [(r.institution, r.difference) for r in answer.differing] == [("32.11", "0.02")]
    (result,) = await results(assessment, institution="32.11")
    # 3 + 2 * 1.3 / 100
    assert (result.score.index, result.published_index, result.difference) == ("3.03", "3.05", "0.02")
    assert (result.values["1"], result.version) == ("5", 2)
    # Saying less again does not take away what is known.
    assert (await imported(assessment, ITEMS + items("32.11", 3, changed={1: 5}))).unchanged == 1


async def test_every_bad_row_is_named_by_its_line_and_nothing_is_stored(assessment: Running) -> None:
    text = (
        INDEX + f"32.11,{SPBE},2022,publication,3.84\n"
        f"99.99,{SPBE},2022,publication,3\n"
        "32.04,spbe-1,2022,publication,3\n"
        f"32.04,{SPBE},22,publication,3\n"
        f"32.04,{SPBE},2022,sometime,3\n"
        f"32.04,{SPBE},2022,publication,5.01\n"
        f"32.11,{SPBE},2022,publication,3.84\n"
        f"32.04,{SPBE},2022,publication,2,6\n"
        f"32.05,{SPBE},2022,publication,\n"
    )
    answer = await imported(assessment, text)
    assert (answer.imported, answer.rejected_count) == (0, 8)
    assert [row.line for row in answer.rejected] == list(range(3, 11))
    assert "given before, in line 2" in answer.rejected[5].reason
    assert await results(assessment) == []
    partial = await imported(assessment, text, partial=True)
    # 32.11 is given twice, so nobody knows which one is meant.
    assert (partial.imported, partial.rejected_count) == (0, 8)


async def test_a_partial_import_takes_the_good_results_and_leaves_whole_evaluations_out(assessment: Running) -> None:
    incomplete = "".join(items("32.04").splitlines(keepends=True)[:-2])
    text = (
        ITEMS
        + items("32.11")
        + items("32.05").replace("32.05,spbe-59-2020,2022,publication,7,3", "32.05,spbe-59-2020,2022,publication,7,9")
        + incomplete
    )
    answer = await imported(assessment, text, partial=True)
    assert answer.imported == 1
    assert [(row.line, row.reason[:50]) for row in answer.rejected] == [
        (1 + 47 + 7, "indicator 7: 9 is outside the scale, 1 to 5"),
        (1 + 47 + 47 + 1, "32.04:spbe-59-2020:2022:publication: 2 indicators "),
    ]
    assert [r.institution for r in await results(assessment)] == ["32.11"]


async def test_validating_names_what_would_come_and_stores_nothing(assessment: Running) -> None:
    answer = await imported(assessment, INDEX + f"32.11,{SPBE},2022,publication,3.84\n", validate_only=True)
    assert answer.imported == 1
    assert await results(assessment) == []


async def test_a_repeated_request_gets_the_first_answer(assessment: Running) -> None:
    manager = assessment.as_role(ResultServiceStub, "manager")
    row = pb.ImportRow(line=2, institution="32.11", instrument=SPBE, period="2022", stage="publication", value="3.84")
    request = pb.ImportResultsRequest(request_id=uuid.uuid4().hex, rows=[row])
    first = await manager.ImportResults(iter([request]))
    assert first.imported == 1
    row.value = "3.85"
    changed = pb.ImportResultsRequest(request_id=uuid.uuid4().hex, rows=[row])
    assert (await manager.ImportResults(iter([changed]))).imported == 1
    reused = pb.ImportResultsRequest(request_id=request.request_id, rows=[row])
    reused.rows[0].value = "3.86"
    assert (await refusal(manager.ImportResults(iter([reused])))).reason == "REQUEST_ID_REUSED"


async def test_only_managers_import_and_drafts_stay_with_their_institution(assessment: Running) -> None:
    await imported(assessment, INDEX + f"32.11,{SPBE},2022,em,3.9\n32.11,{SPBE},2022,publication,3.84\n")
    operator = assessment.as_role(ResultServiceStub, "operator", "32.04")
    request = pb.ImportResultsRequest(request_id="a")
    assert (await refusal(operator.ImportResults(iter([request])))).reason == "ROLE"
    public = assessment.as_role(ResultServiceStub, "public")
    published = pb.ListResultsRequest(stage=evaluation_pb2.STAGE_PUBLICATION)
    for stub in (public, operator):
        assert [r.published_index for r in (await stub.ListResults(published)).results] == ["3.84"]
        for asked in (pb.ListResultsRequest(), pb.ListResultsRequest(institution="32.11")):
            # Of what came before it, no more than the ranking shows.
            for row in (await stub.ListResults(asked)).results:
                assert row.published_index or row.score.index
                if row.stage != evaluation_pb2.STAGE_PUBLICATION:
                    assert (dict(row.values), list(row.score.nodes), row.imported_by) == ({}, [], "")
    own = assessment.as_role(ResultServiceStub, "operator", "32.11")
    assert len((await own.ListResults(pb.ListResultsRequest(institution="32.11"))).results) == 2


async def test_a_stream_without_a_request_id_or_with_a_bad_message_is_refused(assessment: Running) -> None:
    manager = assessment.as_role(ResultServiceStub, "manager")
    assert (await refusal(manager.ImportResults(iter([])))).kind == Kind.INVALID_ARGUMENT
    refused = await refusal(manager.ImportResults(iter([pb.ImportResultsRequest()])))
    assert [v.field for v in refused.violations] == ["messages[0].request_id"]
    long = pb.ImportResultsRequest(request_id="a", rows=[pb.ImportRow(stage="x" * 201)])
    refused = await refusal(manager.ImportResults(iter([pb.ImportResultsRequest(request_id="a"), long])))
    assert [v.field for v in refused.violations] == ["messages[1].rows[0].stage"]
    two = [pb.ImportResultsRequest(request_id="a"), pb.ImportResultsRequest(request_id="b")]
    assert (await refusal(manager.ImportResults(iter(two)))).violations[0].field == "request_id"


async def test_a_national_round_is_one_import(assessment: Running) -> None:
    from directory import official_regions

    codes = list(official_regions())
    answer = await imported_in_batches(assessment, codes)
    assert (answer.imported, answer.rejected_count) == (len(codes), 0)
    assert await assessment.db["results"].count_documents({}) == len(codes)
    (result,) = await results(assessment, institution=codes[0])
    assert Decimal(result.score.index) == 3


async def imported_in_batches(assessment: Running, codes: list[str]) -> pb.ImportResultsResponse:
    manager = assessment.as_role(ResultServiceStub, "manager")

    def requests() -> Iterator[pb.ImportResultsRequest]:
        request_id = uuid.uuid4().hex
        for code in codes:
            yield pb.ImportResultsRequest(
                request_id=request_id, rows=rows_of(io.BytesIO((ITEMS + items(code)).encode()))
            )

    return await manager.ImportResults(requests(), timeout=60)


async def test_a_result_that_was_brought_in_by_mistake_is_taken_out_and_can_come_again(assessment: Running) -> None:
    text = INDEX + f"32.11,{SPBE},2022,publication,3.84\n32.04,{SPBE},2022,publication,2.6\n"
    await imported(assessment, text)
    manager = assessment.as_role(ResultServiceStub, "manager")
    stage = evaluation_pb2.STAGE_PUBLICATION
    request = pb.WithdrawResultRequest(
        request_id="w", institution="32.11", instrument=SPBE, period="2022", stage=stage, reason="of another region"
    )
    first = await manager.WithdrawResult(request)
    assert (first.result.withdrawn_reason, first.result.version) == ("of another region", 2)
    assert await manager.WithdrawResult(request) == first
    assert [one.institution for one in await results(assessment)] == ["32.04"]
    (fact,) = await eventually(lambda: assessment.published(results_events_pb2.ResultWithdrawn))
    assert (fact.meta.aggregate_id, fact.meta.version, fact.reason) == (
        "result:32.11:spbe-59-2020:2022:publication",
        2,
        "of another region",
    )
    request.request_id = "again"
    assert (await refusal(manager.WithdrawResult(request))).kind == Kind.NOT_FOUND
    operator = assessment.as_role(ResultServiceStub, "operator", "32.11")
    assert (await refusal(operator.WithdrawResult(request))).kind == Kind.PERMISSION_DENIED
    back = await imported(assessment, text)
    assert (back.imported, back.unchanged) == (1, 1)
    (result,) = await results(assessment, institution="32.11")
    assert (result.version, result.published_index, result.withdrawn_reason) == (3, "3.84", "")
