"""`livinglab assessment` as people type it, against a real service."""

import asyncio
import csv
import io
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from stack.issuer import Issuer
from tests.harness.evaluation import SPBE, SUMEDANG
from tests.harness.servers import Servers
from tests.harness.service import Running, running_service

ROOT = Path(__file__).parents[3]
FILES = Path(__file__).parents[2] / "data" / "instruments"
ID = f"{SUMEDANG}:{SPBE}:2022"


@dataclass
class Shell:
    """Commands of one person or another."""

    running: Running

    async def run(self, who: str, *arguments: str) -> tuple[int, str, str]:
        """Exit code, output and errors."""
        role, _, subject = who.partition("/")
        institution = SUMEDANG if role in ("operator", "head") else ""
        token = self.running.issuer.token(role, institution=institution, subject=subject or role)
        env = os.environ | {
            "LIVINGLAB_ADDRESS_ASSESSMENT": self.running.address,
            "LIVINGLAB_TOKEN": token,
            "PYTHONPATH": f"{ROOT}:{ROOT / 'gen'}",
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli", "assessment", *arguments),
            env=env,
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        return process.returncode or 0, out.decode(), err.decode()

    async def does(self, who: str, *arguments: str) -> Any:
        """What a command that must pass writes as JSON."""
        code, out, err = await self.run(who, *arguments, "--json")
        assert (code, err) == (0, ""), arguments
        return json.loads(out)


@pytest.fixture
async def shell(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[Shell]:
    async with running_service("assessment", servers, issuer, nats_url) as running:
        yield Shell(running)


async def test_a_whole_cycle_is_driven_from_the_command_line(shell: Shell, tmp_path: Path) -> None:
    levels = tmp_path / "levels.csv"
    levels.write_text("indicator,level\n" + "".join(f"{n},3\n" for n in range(1, 48)))
    stages = ["self-assessment=2022-12-01", "document", "interview", "review", "determination", "publication"]
    cycle = await shell.does("manager", "cycle", SPBE, "2022", *stages)
    assert len(cycle["stages"]) == 6
    await shell.does("operator", "open", SUMEDANG, "--instrument", SPBE, "--period", "2022")
    await shell.does("operator", "delegate", ID, "Diskominfo", "1", "--due", "2022-11-30")
    work = await shell.does("operator", "queue", ID)
    assert len(work) == 47
    await shell.does("operator", "answer", ID, "--file", str(levels))
    gain = await shell.does("operator", "what-if", "--evaluation", ID, "1=5", "2=5")
    assert gain["after"]["index"] == "3.05"
    await shell.does("head", "submit", ID)
    for subject, value in (("ani", "2"), ("budi", "4")):
        await shell.does("manager", "assign", ID, subject)
        await shell.does(f"assessor/{subject}", "assess", ID, f"1={value}", "--fact", "=1+1")
    seen = await shell.does("manager", "calibration", ID)
    assert [row["spread"] for row in seen["differences"]] == ["2"]
    code, _, err = await shell.run("manager", "conclude", ID, "document")
    assert (code, "assessors differ" in err) == (1, True)
    await shell.does("manager", "conclude", ID, "document", "--decide", "1=2", "--justification", "no decree")
    await shell.does("head", "object", ID, "1=3", "--reason", "overlooked")
    await shell.does("assessor/ani", "reply", ID, "1", "--reject", "--explanation", "a draft")
    await shell.does("manager", "conclude", ID, "interview", "--force")
    await shell.does("manager", "review", ID, "all")
    await shell.does("manager", "conclude", ID, "review")
    await shell.does("manager", "determine", ID, "--decree", "SK 108/2022", "--date", "2022-12-30")
    final = await shell.does("manager", "publish", ID, "--index", "3.00")
    assert (final["score"]["index"], final["published_index"]) == ("2.99", "3.00")
    corrected = await shell.does("manager", "correct", ID, "1=3", "--reason", "typing error")
    assert corrected["revision"] == 2
    assert len(await shell.does("manager", "history", ID)) == 17
    assert len((await shell.does("head", "dossier", ID))["assessments"]) == 2
    assert [one["id"] for one in await shell.does("public", "list")] == [ID]
    shown = await shell.does("public", "show", ID)
    assert shown["profile"]["groups"][0]["cells"][-1]["value"] == "3.00"
    await exports(shell, tmp_path)


async def exports(shell: Shell, folder: Path) -> None:
    for ending in ("json", "csv", "xlsx", "html"):
        await shell.does("head", "export", ID, "--output", str(folder / f"out.{ending}"))
    rows = list(csv.reader(io.StringIO((folder / "out.csv").read_text("utf-8-sig"))))
    assert (len(rows), rows[1][0]) == (48, "1")
    assert rows[0][-3:] == ["Tingkat berikutnya", "Yang masih diminta", "Dokumen yang diharapkan"]
    assert (rows[12][-3], rows[12][-2][:3]) == ("4", "4a ")
    assert load_workbook(folder / "out.xlsx").sheetnames == ["Indikator", "Kelompok", "Ringkasan"]
    page = (folder / "out.html").read_text()
    assert "Kabupaten Sumedang" in page
    assert "Peta rencana diterapkan lewat rencana kerja dan anggaran tiga tahun terakhir" in page
    written = json.loads((folder / "out.json").read_text())
    assert written["evaluation"]["revision"] == 2
    assert [need["criterion"] for need in written["needs"][11]["missing"]] == ["4a", "4b"]


async def test_refusals_are_one_clear_line_and_wrong_usage_ends_with_2(shell: Shell) -> None:
    code, out, err = await shell.run("manager", "show", "32.11:none:2022")
    assert (code, out, err) == (1, "", "refused: evaluation 32.11:none:2022 does not exist\n")
    assert (await shell.run("manager", "conclude", ID, "lunch"))[0] == 2
    assert (await shell.run("operator", "answer", ID, "1"))[0] == 2


async def test_answers_that_cannot_be_are_each_named_by_their_line(shell: Shell, tmp_path: Path) -> None:
    await shell.does("operator", "open", SUMEDANG, "--instrument", SPBE, "--period", "2022")
    levels = tmp_path / "levels.csv"
    levels.write_text("indicator,level\n1,9\n2,3\n99,3\n")
    code, out, err = await shell.run("operator", "answer", ID, "--file", str(levels), "3=7")
    assert (code, out) == (1, "")
    assert [line.strip() for line in err.splitlines()[1:]] == [
        f"{levels}: line 2: 1: 9 is outside the scale, 1 to 5",
        f"{levels}: line 4: 99: is no indicator of this instrument",
        "3=7: 3: 7 is outside the scale, 1 to 5",
    ]


async def test_nobody_writes_over_what_somebody_else_has_written_without_knowing(shell: Shell) -> None:
    await shell.does("operator/op-1", "open", SUMEDANG, "--instrument", SPBE, "--period", "2022")
    await shell.does("operator/op-1", "answer", ID, "1=3", "2=4")
    code, out, err = await shell.run("operator/op-2", "answer", ID, "1=2", "2=4,0", "3=1")
    assert (code, out) == (1, "")
    assert "nothing was saved" in err
    assert "indicator 1: op-1 has 3, you have 2" in err
    assert "indicator 2" not in err
    shown = await shell.does("operator/op-2", "show", ID)
    assert {a["indicator"]: a["value"] for a in shown["evaluation"]["answers"]} == {"1": "3", "2": "4"}
    # One's own answers are changed freely; others' with the word for it.
    await shell.does("operator/op-1", "answer", ID, "1=5")
    await shell.does("operator/op-2", "answer", ID, "1=2", "--force")
    shown = await shell.does("operator/op-1", "show", ID)
    assert shown["evaluation"]["answers"][0]["value"] == "2"


async def test_criteria_are_marked_and_what_is_lacking_is_listed(shell: Shell, tmp_path: Path) -> None:
    await shell.does("operator", "open", SUMEDANG, "--instrument", SPBE, "--period", "2022")
    code, out, err = await shell.run("operator", "answer", ID, "12=3", "--met", "2a", "--lang", "en")
    assert (code, err) == (0, "")
    assert "Doubtful: indicator 12: level 3 is answered, but 3a not met: what is met makes level 2" in out
    assert "Doubtful: indicator 12: level 3 is answered without any evidence" in out
    assert "12: next level 4 needs 4b: The document is reviewed and evaluated at regular intervals" in out
    marked = await shell.does("operator", "criteria", ID, "12", "--met", "3a", "--unmet", "2a")
    assert [row["criterion"] for row in marked["criteria"] if row["met"]] == ["3a"]
    await shell.does("operator", "criteria", ID, "12", "--unmet", "3a")
    shown = await shell.does("operator", "criteria", ID, "12")
    assert [row["met"] for row in shown["criteria"]] == [False] * 6
    assert shown["value"] == "3"
    code, _, err = await shell.run("operator", "criteria", ID, "1", "--met", "2a")
    assert (code, err) == (1, "indicator 1 has no answer yet: give it a level with `assessment answer` first\n")
    levels = tmp_path / "levels.csv"
    levels.write_text("indicator,level\n" + "".join(f"{n},2\n" for n in range(1, 48) if n != 12))
    await shell.does("operator", "answer", ID, "--file", str(levels))
    found = await shell.does("head", "needs", ID)
    assert [one["indicator"] for one in found["warnings"]] == ["12"]
    queue = (await shell.run("operator", "queue", ID, "--lang", "en"))[1]
    assert "4a The roadmap" in queue
    code, out, err = await shell.run("head", "submit", ID)
    assert (code, err) == (0, "Doubtful: indicator 12: level 3 is answered without any evidence\n")
    assert "self-assessment concluded" in out
