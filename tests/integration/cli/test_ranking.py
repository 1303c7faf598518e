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
from tests.harness.race import BANDUNG, JAVA, SPBE, SUMEDANG, TASIKMALAYA, counted, instrument_known, submitted
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
                "name": f"Kabupaten {name}",
                "gain": gain,
                "percentile": percentile,
                "to_next": to_next,
            }
            for rank, institution, name, index, movement, gain, percentile, to_next in (
                (1, SUMEDANG, "Sumedang", "3.84", 1, "1.84", "100.00", None),
                (2, BANDUNG, "Bandung", "2.50", -1, "0.10", "0.00", "1.34"),
            )
        ],
    }
    chart = tmp_path / "race.svg"
    code, out, err = await livinglab(benchmark, *RANKING, "--csv", "--svg", str(chart))
    assert (code, err) == (0, "")
    assert out.splitlines()[1] == f"1,{SUMEDANG},Kabupaten Sumedang,3.84,,Cukup,+1,1.84,100.00,"
    drawing = ElementTree.fromstring(chart.read_text())
    # A bar for each, and the ground that they stand on.
    assert len(drawing.findall("{http://www.w3.org/2000/svg}rect")) == 3
    assert "1. Kabupaten Sumedang" in chart.read_text()
    assert (await livinglab(benchmark, *RANKING, "--as-of", "2022-01-01"))[1] == (
        "Nobody was in this race by the end of 2022-01-01.\n"
    )


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


async def lines(benchmark: Running, *arguments: str) -> list[str]:
    """What a command writes as CSV, without the header."""
    code, out, err = await livinglab(benchmark, "benchmark", *arguments, "--csv")
    assert (code, err) == (0, "")
    return out.splitlines()[1:]


async def test_how_the_race_changed_from_period_to_period(benchmark: Running, tmp_path: Path) -> None:
    bodies = [SUMEDANG, BANDUNG, TASIKMALAYA, *JAVA[4:9]]
    for year, base in (("2020", 200), ("2021", 215), ("2022", 240)):
        for at, code in enumerate(bodies):
            await submitted(benchmark, code, f"{(base + at * (int(year) - 2018)) / 100:.2f}", year)
    await submitted(benchmark, SUMEDANG, "1.24", "2026", instrument="pemdi-8-2026")
    await eventually(lambda: counted(benchmark, "results", 3 * len(bodies) + 1))
    race = ("--instrument", SPBE, "--period", "2022")
    largest = await lines(benchmark, "leaps", *race, "--since", "2021", "--size", "3")
    assert [line.split(",")[0] for line in largest] == bodies[:-4:-1]
    assert largest[0].endswith(",2.36,2.68,0.32")
    first = (await lines(benchmark, "leaps", *race, "--since", "2021", "--target", "2.15"))[0]
    # Nobody had it in 2020 and everybody in 2021; of equals the higher is named first.
    assert first.split(",")[-2:] == ["2021", "2.36"]
    values = [line.rpartition(",")[2] for line in await lines(benchmark, "compare", *race, "--since", "2021")]
    assert values[:4] == ["8", "2.26", "2.54", "0.29"]
    _, out, _ = await livinglab(benchmark, "benchmark", "compare", *race, "--since", "2021", "--json")
    assert json.loads(out)["pairs"] == 8
    chart = tmp_path / "series.svg"
    own = await lines(benchmark, "series", SUMEDANG, *race, "--svg", str(chart))
    assert [line.split(",")[2:] for line in own] == [
        [SPBE, "1", "2020", "2.00", "computed"],
        [SPBE, "1", "2021", "2.15", "computed"],
        [SPBE, "1", "2022", "2.40", "computed"],
        ["pemdi-8-2026", "1", "2026", "1.24", "computed"],
    ]
    assert len(ElementTree.fromstring(chart.read_text()).findall("{http://www.w3.org/2000/svg}polyline")) == 2
    _, told, _ = await livinglab(benchmark, "benchmark", "series", SUMEDANG, *race)
    assert f"the instrument changed from {SPBE} (2022) to pemdi-8-2026 (2026)" in told
    tested = dict(line.split(",", 1) for line in await lines(benchmark, "back-test", *race))
    assert tested["projections"] == "8"
    assert tested["within the interval"].endswith(" of 8")


async def test_what_is_set_is_shown_weighs_and_is_taken_back(benchmark: Running, tmp_path: Path) -> None:
    await raced(benchmark)
    assert (await livinglab(benchmark, "benchmark", "set-cluster", "west", SUMEDANG, BANDUNG))[0] == 0
    assert await lines(benchmark, "clusters") == [f"west,1,2,{BANDUNG} {SUMEDANG}"]
    assert (await livinglab(benchmark, "benchmark", "set-targets", "2025=3.5", "--instrument", SPBE))[0] == 0
    assert await lines(benchmark, "targets") == [f"{SPBE},nation,2025,3.5"]
    assert (await livinglab(benchmark, "benchmark", "set-targets", "--instrument", SPBE))[0] == 0
    assert await lines(benchmark, "targets") == []
    people = tmp_path / "people.csv"
    people.write_text(f"institution,people\n{SUMEDANG},3000000\n{BANDUNG},1000000\n")
    code, out, _ = await livinglab(benchmark, "benchmark", "set-population", "--file", str(people), "--json")
    assert (code, len(json.loads(out)["set"])) == (0, 2)
    asked = ("benchmark", "distribution", "--instrument", SPBE, "--period", "2022")
    assert json.loads((await livinglab(benchmark, *asked, "--json"))[1])["weighted_mean"] == "3.51"
    assert "Weighted by the population of 2: 3.51." in (await livinglab(benchmark, *asked))[1]
    assert (await livinglab(benchmark, "benchmark", "set-population", BANDUNG, "0"))[0] == 0
    assert json.loads((await livinglab(benchmark, *asked, "--json"))[1])["weighted_mean"] == "3.84"
    people.write_text("institution,people\n32.11,many\n,5\n")
    code, _, err = await livinglab(benchmark, "benchmark", "set-population", "--file", str(people))
    assert (code, "line 2: people 'many' is not a whole" in err, "line 3: names no institution" in err) == (
        1,
        True,
        True,
    )
    code, _, err = await livinglab(benchmark, "benchmark", "set-population", "3211", "5")
    # No directory runs here, which is said before.
    assert (code, err.splitlines()[-1]) == (1, "institution '3211' is not known: is it 32.11 Kabupaten Sumedang?")
    code, _, err = await livinglab(benchmark, "benchmark", "set-targets", "2025", "--instrument", SPBE)
    assert (code, err) == (1, "2025: must be a period and an index such as 2025=3.5\n")
