"""The services over HTTP and JSON: the same answers, policies and refusals, for whoever shows whichever token."""

import json
import uuid
from typing import Any

from tests.harness.browsing import Got, get
from tests.integration.console.conftest import SUMEDANG, Console

RESULTS = "/api/assessment.v1.ResultService"


def token(console: Console, role: str, institution: str = "") -> str:
    return f"Bearer {console.services['assessment'].issuer.token(role, institution=institution)}"


async def post(console: Console, path: str, body: Any, **headers: str) -> Got:
    told = {"content-type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await get(console.url + path, told, sent)


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
