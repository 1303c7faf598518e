"""`livinglab plan` as people and scripts run it, against a running coaching: from the draft to actions done."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from livinglab.assessment.v1 import evaluation_pb2
from livinglab.assessment.v1 import events_pb2 as assessment_pb

from instruments import instrument_files
from instruments.file import load
from stack.issuer import Issuer
from tests.harness.coaching import BANDUNG, COHORT, SUMEDANG, assignment, called_by, coach, count
from tests.harness.command import answered, livinglab
from tests.harness.servers import Servers
from tests.harness.service import Running, running_service
from tests.harness.waiting import eventually

SPBE = "spbe-59-2020"
PLAN = f"plan:{COHORT}:{SUMEDANG}"


@pytest.fixture
async def coaching(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[Running]:
    """With a coach, an assignment and an evaluation to plan from."""
    async with running_service("coaching", servers, issuer, nats_url) as running:
        await coach(running)
        await called_by(running, "system").AssignCoach(assignment())
        event = assessment_pb.InstrumentPublished(
            instrument_id=SPBE, instrument=load(instrument_files()[SPBE].read_bytes())
        )
        await running.hear(event, aggregate_id=f"instrument:{SPBE}")
        evaluation = assessment_pb.EvaluationSubmitted(
            institution=SUMEDANG,
            evaluation_id=f"{SUMEDANG}:{SPBE}:2022",
            instrument=SPBE,
            instrument_version=1,
            period="2022",
            stage=evaluation_pb2.STAGE_SELF_ASSESSMENT,
            score=evaluation_pb2.Score(index="2.00", predicate="Cukup"),
            values={str(n): "2" for n in range(1, 48)},
        )
        await running.hear(evaluation, aggregate_id=evaluation.evaluation_id)

        async def arrived() -> bool:
            return (await count(running, "instruments"), await count(running, "evaluations")) == (1, 1)

        await eventually(arrived)
        yield running


def caller(coaching: Running, role: str, institution: str = "", subject: str = "") -> dict[str, Any]:
    token = coaching.issuer.token(role, institution=institution, subject=subject)
    return {"token": token, "coaching": coaching.address}


async def test_a_plan_from_its_draft_to_its_first_action_done(coaching: Running, tmp_path: Path) -> None:
    operator, head = (caller(coaching, role, SUMEDANG) for role in ("operator", "head"))
    coached = caller(coaching, "coach", subject="coach-1")
    preview = await answered("plan", "drafts", "--target", "2.6", "--runners-up", "1", **operator)
    assert ([one["proven"] for one in preview["drafts"]], preview["needs"]) == ([True, True], None)
    drafted = await answered("plan", "draft", COHORT, "--target", "2.6", "--due", "2023-01-21", **operator)
    assert (drafted["id"], drafted["state"], drafted["from_index"], drafted["coach"]) == (
        PLAN,
        "draft",
        "2.00",
        "coach-1",
    )
    assert drafted["actions"][0]["due"] == "2023-01-21"
    assert (await answered("plan", "submit", PLAN, **head))["state"] == "submitted"
    returned = await answered("plan", "return", PLAN, "--reason", "Siapa penanggung jawabnya?", **coached)
    assert (returned["state"], returned["reason"]) == ("returned", "Siapa penanggung jawabnya?")
    code, out, _ = await livinglab("plan", "show", PLAN, **operator)
    assert (code, "sent back: Siapa penanggung jawabnya?" in out) == (0, True)
    first = returned["actions"][0]["id"]
    fields = ("--owner", "Dinas Pendidikan", "--person", "Kepala Bidang", "--cost", "1000000", "--fund", "csr")
    edited = await answered("plan", "edit", PLAN, first, *fields, **operator)
    assert [edited["actions"][0][key] for key in ("owner", "fund", "cost")] == ["Dinas Pendidikan", "csr", "1000000"]
    compared = await answered("plan", "compare", PLAN, **coached)
    assert {one["field"] for one in compared["differences"][0]["fields"]} >= {"owner", "person", "cost"}
    said = await answered("plan", "comment", PLAN, "Sudah lengkap", "--action", first, **coached)
    assert (await answered("plan", "resolve", said["id"], **operator))["resolved_by"]
    assert await answered("plan", "comments", PLAN, "--open", **operator) == []
    returned = edited
    resubmitted = await answered("plan", "submit", PLAN, "--etag", returned["etag"], **head)
    code, out, err = await livinglab("plan", "approve", PLAN, "--etag", returned["etag"], **coached)
    assert (code, out, "has changed since it was read" in err) == (1, "", True)
    approved = await answered("plan", "approve", PLAN, "--etag", resubmitted["etag"], **coached)
    assert approved["state"] == "approved"
    first = approved["actions"][0]["id"]
    code, out, err = await livinglab("plan", "complete", PLAN, first, **operator)
    assert (code, out, "evidence: is required" in err) == (1, "", True)
    shown = ("--link", "https://jdih.sumedang.example/12")
    code, out, _ = await livinglab("plan", "complete", PLAN, first, *shown, **operator)
    assert (code, out) == (0, f"{PLAN} is in_progress, 1 of {len(approved['actions'])} actions done\n")
    second = approved["actions"][1]
    drop = ("plan", "drop", PLAN, second["id"], "--reason", "Anggaran dialihkan")
    code, _, err = await livinglab(*drop, **operator)
    assert (code, "an approved one amended" in err) == (1, True)
    proposed = await answered(*drop, "--amend", "Refocusing", **operator)
    assert proposed["amendment"]["reason"] == "Refocusing"
    amended = await answered("plan", "refuse-amendment", PLAN, "--reason", "Tetap", **coached)
    assert (amended["amendment"], amended["actions"][1]["state"]) == (None, "planned")
    status = await answered("plan", "status", PLAN, **operator)
    assert (status["reported"], status["proven"], status["state"]) == (1, 0, "in_progress")
    for name, start in (("rencana.pdf", b"%PDF-"), ("rencana.html", b"<!DOCTYPE html>")):
        code, _, err = await livinglab("plan", "print", PLAN, str(tmp_path / name), **operator)
        assert (code, err, (tmp_path / name).read_bytes().startswith(start)) == (0, "", True)
    kept = await answered("plan", "history", PLAN, **coached)
    assert [one["what"] for one in kept][:3] == ["AmendmentRefused", "AmendmentProposed", "ActionCompleted"]
    assert (await answered("plan", "impact", COHORT, **coached))["reported"] == 1
    [listed] = await answered("plan", "list", COHORT, **caller(coaching, "manager"))
    assert [action["state"] for action in listed["actions"]][:2] == ["done", "planned"]
    code, out, _ = await livinglab("plan", "list", COHORT, **operator)
    assert (code, PLAN in out, f"1 of {len(approved['actions'])}" in out) == (0, True, True)


async def test_what_is_refused_is_one_line_and_exit_code_1(coaching: Running) -> None:
    operator = caller(coaching, "operator", SUMEDANG)
    await answered("plan", "draft", COHORT, **operator)
    stranger = caller(coaching, "operator", BANDUNG)
    assert await answered("plan", "list", COHORT, **stranger) == []
    for refused in (("show", PLAN), ("list", COHORT, "--institution", SUMEDANG)):
        code, out, err = await livinglab("plan", *refused, **stranger)
        assert (code, out, len(err.splitlines())) == (1, "", 1)
        assert f"not {SUMEDANG}" in err
    code, out, err = await livinglab("plan", "show", "nowhere", **operator)
    assert (code, out, err) == (1, "", "refused: plan nowhere does not exist\n")
    code, out, err = await livinglab("plan", "draft", COHORT, "--target", "six", "--due", "soon", **operator)
    assert (code, "target: must be a decimal" in err, "due_date: must be a date" in err) == (1, True, True)
    code, _, err = await livinglab("plan", "return", PLAN, **operator)
    assert (code, "--reason" in err) == (2, True)
