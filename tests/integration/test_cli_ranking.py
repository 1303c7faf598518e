"""`livinglab ranking` and `livinglab benchmark` as people and scripts run them, against a running benchmark."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from stack.issuer import Issuer
from tests.harness.race import BANDUNG, SPBE, SUMEDANG, TASIKMALAYA, counted, instrument_known, submitted
from tests.harness.servers import Servers
from tests.harness.service import Running, running_service
from tests.harness.waiting import eventually

RANKING = ("ranking", "--instrument", SPBE, "--period", "2022")


@pytest.fixture
async def benchmark(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[Running]:
    async with running_service("benchmark", servers, issuer, nats_url) as running:
        yield running


async def started(benchmark: Running, *arguments: str) -> asyncio.subprocess.Process:
    told = {
        "LIVINGLAB_ADDRESS_BENCHMARK": benchmark.address,
        "LIVINGLAB_TOKEN": benchmark.issuer.token("manager"),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "cli",
        *arguments,
        env={**os.environ, **told},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def livinglab(benchmark: Running, *arguments: str) -> tuple[int, str, str]:
    process = await started(benchmark, *arguments)
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def raced(benchmark: Running) -> None:
    await submitted(benchmark, SUMEDANG, "2.00", "2021")
    await submitted(benchmark, BANDUNG, "2.40", "2021")
    await submitted(benchmark, SUMEDANG, "3.84")
    await submitted(benchmark, BANDUNG, "2.50")
    await eventually(lambda: counted(benchmark, "results", 4))


async def test_the_race_for_programs_spreadsheets_and_eyes(benchmark: Running, tmp_path: Path) -> None:
    await raced(benchmark)
    code, out, _ = await livinglab(benchmark, *RANKING, "--group", "province:32", "--json")
    assert code == 0
    assert json.loads(out) == {
        "instrument": SPBE,
        "period": "2022",
        "stage": "self-assessment",
        "group": "province:32",
        "rows": [
            {
                "rank": rank,
                "institution": institution,
                "index": index,
                "published": None,
                "predicate": "Cukup",
                "movement": movement,
            }
            for rank, institution, index, movement in ((1, SUMEDANG, "3.84", 1), (2, BANDUNG, "2.50", -1))
        ],
    }
    chart = tmp_path / "race.svg"
    code, out, _ = await livinglab(benchmark, *RANKING, "--csv", "--svg", str(chart))
    assert out.splitlines()[1] == f"1,{SUMEDANG},Kabupaten Sumedang,3.84,,Cukup,+1,1.84,100.00"
    drawing = ElementTree.fromstring(chart.read_text())
    assert len(drawing.findall("{http://www.w3.org/2000/svg}polyline")) == 2
    assert (await livinglab(benchmark, *RANKING, "--as-of", "2022-01-01"))[1] == "Nobody is in this race yet.\n"


async def test_a_mix_and_bad_dates_end_with_one_line(benchmark: Running) -> None:
    for arguments, line in {
        ("ranking", "--instrument", f"{SPBE},pemdi-8-2026", "--period", "2022"): "refused: different instruments are",
        (*RANKING, "--as-of", "soon"): "--as-of soon: must be a date",
        (*RANKING, "--group", "kind:desa"): "refused: race.group: kind:desa is not a group",
    }.items():
        code, out, err = await livinglab(benchmark, *arguments)
        assert (code, out) == (1, "")
        assert err.startswith(line)
        assert err.count("\n") == 1


async def test_a_watcher_sees_the_change(benchmark: Running) -> None:
    await raced(benchmark)
    process = await started(benchmark, *RANKING, "--watch")
    assert process.stdout is not None
    try:
        await asyncio.wait_for(process.stdout.readuntil(BANDUNG.encode()), 20)
        await submitted(benchmark, TASIKMALAYA, "4.00")
        await asyncio.wait_for(process.stdout.readuntil(TASIKMALAYA.encode()), 20)
    finally:
        process.kill()
        await process.communicate()


async def test_gap_rebuild_and_what_is_set(benchmark: Running, tmp_path: Path) -> None:
    await instrument_known(benchmark)
    await raced(benchmark)
    assert (await livinglab(benchmark, "benchmark", "set-targets", "2025=3.5", "--instrument", SPBE))[0] == 0
    chart = tmp_path / "gap.svg"
    asked = ("benchmark", "gap", BANDUNG, "--instrument", SPBE, "--period", "2022", "--role-model", SUMEDANG)
    code, out, err = await livinglab(benchmark, *asked, "--json", "--svg", str(chart))
    assert (code, err) == (0, "")
    assert [line["gap"] for line in json.loads(out)["targets"]] == ["1.00"]
    assert ElementTree.fromstring(chart.read_text()).tag.endswith("svg")
    code, out, _ = await livinglab(benchmark, "benchmark", "rebuild", "--json")
    assert (code, json.loads(out)["done"]) == (0, True)
    assert json.loads((await livinglab(benchmark, *RANKING, "--json"))[1])["rows"][0]["institution"] == SUMEDANG
