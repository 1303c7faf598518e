"""The services over HTTP and JSON: the same answers, policies and refusals, for whoever shows whichever token."""

import json
import urllib.parse
import uuid
from typing import Any

from tests.harness.browsing import Got, get
from tests.integration.console.conftest import SUMEDANG, Console

RESULTS = "/api/assessment.v1.ResultService"
RANKING = "/api/benchmark.v1.BenchmarkService/GetRanking"


def token(console: Console, role: str, institution: str = "") -> str:
    return f"Bearer {console.services['assessment'].issuer.token(role, institution=institution)}"


async def post(console: Console, path: str, body: Any, **headers: str) -> Got:
    told = {"content-type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await get(console.url + path, told, sent)


async def test_what_is_public_is_read_by_address_and_what_is_not_is_refused_as_a_problem(nation: Console) -> None:
    race = {"instrument": "spbe-59-2020", "period": "2025", "stage": "publication"}
    query = urllib.parse.urlencode({f"race.{key}": value for key, value in race.items()})
    got = await nation.get(f"{RANKING}?{query}")
    assert (got.status, got.headers["content-type"]) == (200, "application/json"), got.text
    assert SUMEDANG in [row["institution"] for row in json.loads(got.body)["rows"]]
    same = await post(nation, RANKING, {"race": race})
    assert json.loads(same.body)["rows"] == json.loads(got.body)["rows"]
    closed = await nation.get("/api/program.v1.ProgramService/ListParticipants?cohort_id=c")
    assert (closed.status, closed.headers["content-type"]) == (401, "application/problem+json")
    assert closed.headers["www-authenticate"] == "Bearer"
    told = json.loads(closed.body)
    assert (told["status"], told["title"]) == (401, "UNAUTHENTICATED")
    worthless = await nation.get(f"{RANKING}?{query}", authorization="Bearer nothing")
    assert worthless.status == 401
    for path, field in (
        (f"{RANKING}?colour=red", "colour"),
        (f"{RANKING}?since_period=1&since_period=2", "since_period"),
    ):
        wrong = await nation.get(path)
        assert (wrong.status, json.loads(wrong.body)["violations"][0]["field"]) == (400, field)
    assert (await nation.get("/api/benchmark.v1.BenchmarkService/Rank")).status == 404
    assert (await post(nation, RANKING, b"{")).status == 400
    large = await post(nation, RANKING, {"since_period": "x" * 200_000})
    assert (large.status, json.loads(large.body)["reason"]) == (413, "BODY_TOO_LARGE")


async def test_an_integration_writes_once_with_its_own_token_and_hears_each_fault(nation: Console) -> None:
    row = {"line": 2, "institution": SUMEDANG, "instrument": "spbe-59-2020", "period": "2023", "stage": "publication"}
    rows = [{**row, "indicator": str(n), "value": "3"} for n in range(1, 48)]
    manager, key = token(nation, "manager"), uuid.uuid4().hex
    first = await post(nation, f"{RESULTS}/ImportResults", {"rows": rows}, authorization=manager, idempotency_key=key)
    assert (first.status, json.loads(first.body)["imported"]) == (200, 1), first.text
    again = await post(nation, f"{RESULTS}/ImportResults", {"rows": rows}, authorization=manager, idempotency_key=key)
    assert json.loads(again.body) == json.loads(first.body)
    listed = await nation.get(f"{RESULTS}/ListResults?institution={SUMEDANG}", authorization=manager)
    assert "2023" in {one["period"] for one in json.loads(listed.body)["results"]}
    denied = await post(
        nation, f"{RESULTS}/ImportResults", {"rows": rows}, authorization=token(nation, "operator", SUMEDANG)
    )
    assert (denied.status, json.loads(denied.body)["title"]) == (403, "PERMISSION_DENIED")
    nameless = await post(nation, f"{RESULTS}/ImportResults", {"rows": rows}, authorization=manager)
    assert nameless.status == 400
    assert "messages[0].request_id" in {one["field"] for one in json.loads(nameless.body)["violations"]}
    assert (await nation.get(f"{RESULTS}/ImportResults", authorization=manager)).status == 400
