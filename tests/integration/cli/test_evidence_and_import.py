"""`livinglab evidence` and `livinglab assessment import` as a person and a script run them, against a real service."""

import asyncio
import io
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from livinglab.assessment.v1 import service_pb2
from livinglab.assessment.v1.service_pb2_grpc import AssessmentServiceStub
from openpyxl import Workbook

from stack.issuer import Issuer
from tests.harness.servers import Servers
from tests.harness.service import Running, running_service

SUMEDANG, SPBE = "32.11", "spbe-59-2020"
PDF = b"%PDF-1.7\n" + bytes(range(256)) * 20_000
HEADER = ["institution", "instrument", "period", "stage", "index"]


@pytest.fixture
async def assessment(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[Running]:
    async with running_service("assessment", servers, issuer, nats_url) as running:
        yield running


async def livinglab(
    assessment: Running, role: str, *arguments: object, cwd: Path | None = None
) -> tuple[int, str, str]:
    token = assessment.issuer.token(role, institution=SUMEDANG if role == "operator" else "")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli", *map(str, arguments)),
        env={
            **os.environ,
            "LIVINGLAB_ADDRESS_ASSESSMENT": assessment.address,
            "LIVINGLAB_TOKEN": token,
            "PYTHONPATH": os.pathsep.join(str(Path(path).absolute()) for path in (".", "gen")),
        },
        cwd=cwd,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def as_json(assessment: Running, role: str, *arguments: object) -> Any:
    code, out, err = await livinglab(assessment, role, *arguments, "--json")
    assert code == 0, err
    return json.loads(out)


async def test_an_import_says_what_came_and_names_bad_rows_by_line(assessment: Running, tmp_path: Path) -> None:
    good = tmp_path / "good.csv"
    good.write_text("\ufeff" + ";".join(HEADER) + f"\n{SUMEDANG};{SPBE};2022;publication;3,84\n", "utf-8")
    answer = await as_json(assessment, "manager", "assessment", "import", good)
    assert answer == {"imported": 1, "unchanged": 0, "rejected": [], "doubts": []}
    answer = await as_json(assessment, "manager", "assessment", "import", good)
    assert answer == {"imported": 0, "unchanged": 1, "rejected": [], "doubts": []}
    bare = tmp_path / "bare.csv"
    bare.write_text(";".join(HEADER) + "\n")
    code, _, err = await livinglab(assessment, "manager", "assessment", "import", bare)
    assert (code, err) == (1, f"{bare}: line 1: has no line below its header\n")
    book = Workbook()
    book.active.append(HEADER)
    book.active.append([32.10, SPBE, 2022, "publication", 2.5])
    book.active.append([SUMEDANG, SPBE, 2022, "publication", 7])
    buffer = io.BytesIO()
    book.save(buffer)
    mixed = tmp_path / "mixed"
    mixed.write_bytes(buffer.getvalue())
    code, out, err = await livinglab(assessment, "manager", "assessment", "import", mixed, "--json")
    refused = {"line": 3, "reason": "index '7' is not between 1 and 5"}
    assert (code, json.loads(out)) == (1, {"imported": 0, "unchanged": 0, "rejected": [refused], "doubts": []})
    assert "one row is bad" in err
    answer = await as_json(assessment, "manager", "assessment", "import", mixed, "--partial")
    assert answer == {"imported": 1, "unchanged": 0, "rejected": [refused], "doubts": []}
    listed = await as_json(assessment, "manager", "assessment", "results")
    assert [(row["institution"], row["published"]) for row in listed] == [("32.10", "2.50"), (SUMEDANG, "3.84")]
    code, _, err = await livinglab(assessment, "operator", "assessment", "import", good)
    assert (code, "this is for manager" in err) == (1, True)


async def test_a_file_goes_up_is_shown_handed_in_listed_and_comes_down_whole(
    assessment: Running, tmp_path: Path
) -> None:
    operator = assessment.as_role(AssessmentServiceStub, "operator", SUMEDANG)
    evaluation = service_pb2.OpenEvaluationRequest(request_id="a", institution=SUMEDANG, instrument=SPBE, period="2022")
    evaluation_id = (await operator.OpenEvaluation(evaluation)).evaluation.id
    file = tmp_path / "Surat Keputusan.pdf"
    file.write_bytes(PDF)
    stored = await as_json(assessment, "operator", "evidence", "upload", file, "--dated", "2022-03-01")
    assert (stored["content_type"], stored["size"]) == ("pdf", len(PDF))
    shown = await as_json(
        assessment,
        *("operator", "evidence", "attach", evaluation_id, stored["id"], "--indicator", 1, "--indicator", 2),
        *("--level", 3, "--pages", "3, 5-7"),
    )
    assert [row["state"] for row in shown["indicators"]] == ["draft", "draft"]
    assert [warning["rule"] for warning in shown["warnings"]] == ["LADDER", "LADDER"]
    handed_in = await as_json(assessment, "operator", "evidence", "hand-in", evaluation_id)
    assert [row["state"] for row in handed_in] == ["in_process", "in_process"]
    listed = await as_json(assessment, "operator", "evidence", "list", "--evaluation", evaluation_id)
    assert [row["state"] for row in listed[:3]] == ["in_process", "in_process", "missing"]
    assert [row["id"] for row in await as_json(assessment, "operator", "evidence", "list")] == [stored["id"]]
    await talk(assessment, evaluation_id, stored["id"])
    copy = tmp_path / "copy.pdf"
    await as_json(assessment, "manager", "evidence", "download", stored["id"], "--to", copy)
    assert copy.read_bytes() == PDF
    code, _, err = await livinglab(assessment, "operator", "evidence", "upload", tmp_path, "--dated", "2022-03-01")
    assert (code, err.count("\n")) == (1, 1)


async def talk(assessment: Running, evaluation_id: str, evidence: str) -> None:
    """Something is said of an indicator and of a piece, and one of the two is dealt with."""
    first = await as_json(assessment, "operator", "assessment", "comment", evaluation_id, "Nomor SK?", "--indicator", 1)
    about = (evaluation_id, evidence, "Halaman 7 buram", "--to-assessors")
    second = await as_json(assessment, "manager", "evidence", "comment", *about)
    assert (first["resolved"], second["evidence"], second["role"]) == ("", evidence, "manager")
    done = await as_json(assessment, "operator", "assessment", "resolve", first["id"], "--answer", "SK 12/2022")
    assert (done["answer"], done["resolved_role"]) == ("SK 12/2022", "operator")
    everything = await as_json(assessment, "operator", "assessment", "comments", evaluation_id)
    assert [one["id"] for one in everything] == [first["id"], second["id"]]
    waiting = await as_json(assessment, "operator", "assessment", "comments", evaluation_id, "--open")
    assert [one["id"] for one in waiting] == [second["id"]]
