"""`livinglab rehearse`: a file that is meant for real, its own targets, and nobody real written to."""

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

from stack.mailbox import mails
from stack.servers import mailbox, mails_folder

PROGRAM = """
id: tiny
version: 1
title: Tiny
source: made for this test
time_zone: Asia/Jakarta
role_model: "32.11"
phases:
  - id: work
    title: Kerja
    opens: 2022-11-01
    closes: 2022-11-20
    invites: [head, operator]
    sessions:
      - {id: clinic, title: Klinik, start: 2022-11-07T09:00, end: 2022-11-07T10:00, time_zone: Asia/Jakarta}
    duties:
      - {id: assessed, kind: self_assess, instrument: spbe-59-2020, period: "2022", required: true}
      - {id: planned, kind: plan_approved, required: true}
    gate: {quorum_percent: 50, on_miss: go_on}
  - id: after
    title: Tindak lanjut
    opens: 2022-11-21
    closes: 2022-12-20
    invites: [head, operator]
    duties:
      - {id: followed-up, kind: follow_up, share: "0.5", required: true}
      - {id: reassessed, kind: reassess, instrument: spbe-59-2020, period: "2023", required: true}
    gate: {quorum_percent: 50, on_miss: go_on}
targets:
  - {index: "1.1", year: 2031, scope: region}
"""
COHORT = """
id: tiny-2031
title: Tiny cohort
definition: tiny
roster_file: roster.csv
"""


@pytest.mark.timeout(400)
async def test_ones_own_cohort_is_rehearsed_with_its_own_targets_and_writes_to_nobody(tmp_path: Path) -> None:
    real = mailbox(tmp_path / "real")
    await real.start()
    (tmp_path / "tiny.yaml").write_text(PROGRAM)
    (tmp_path / "cohort.yaml").write_text(COHORT.replace('seconds_per_day: ""\n', ""))
    both = [(code, role) for code in ("32.11", "33.74") for role in ("head", "operator")]
    people = [f"{code},{role},Nama,{role}@{code}.example,id" for code, role in both]
    (tmp_path / "roster.csv").write_text("\n".join(["institution,role,name,email,language", *people]) + "\n")
    told = {"LIVINGLAB_HOME": str(tmp_path / "home"), "LIVINGLAB_SMTP_ADDRESS": real.uri}
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli", "rehearse", str(tmp_path / "cohort.yaml")),
            env={**os.environ, **told, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = (part.decode() for part in await process.communicate())
    finally:
        await real.stop()
    assert process.returncode == 0, out + err
    assert "targets: 1.1 for each region in 2031" in out
    # Assessors have looked at what was reported; and the coach has met the region about it.
    assert re.search(r"reported with evidence: [1-9]\d*; proven by a verified level: [1-9]", out), out
    assert re.search(r"sessions: [12] with minutes; agreed steps: [12], done [12]; feedback: [24]", out), out
    assert "2025" not in out
    assert "2021" not in out
    assert mails(mails_folder(real.data_dir)) == []
    box = mails(mails_folder(tmp_path / "home" / "rehearsal" / "data" / "mailbox"))
    assert {mail["Delivered-To"] for mail in box} >= {"head@32.11.example", "operator@33.74.example"}
    assert (tmp_path / "home" / "rehearsal").stat().st_mode & 0o077 == 0
