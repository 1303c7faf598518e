"""A published international panel, from files that a person has to the race, by the commands alone: 193 countries that
no official list holds, an index from 0 to 1 of five digits, several years."""

import csv
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path

import grpc
import pytest
from livinglab.benchmark.v1 import service_pb2 as pb
from livinglab.benchmark.v1.service_pb2_grpc import BenchmarkServiceStub

from stack.issuer import Issuer
from tests.harness.command_line import CommandLine
from tests.harness.race import EGDI
from tests.harness.servers import Servers
from tests.harness.service import Running, running_service
from tests.harness.waiting import eventually

INSTRUMENT = EGDI.with_name("egdi.yaml")
PANEL = list(csv.DictReader(EGDI.read_text().splitlines()))
YEARS = ("2016", "2018")
# Members of the Association of Southeast Asian Nations in those years.
ASEAN = ("BRN", "IDN", "KHM", "LAO", "MMR", "MYS", "PHL", "SGP", "THA", "VNM")


def published(year: str) -> dict[str, dict[str, str]]:
    return {row["country"]: row for row in PANEL if row["year"] == year}


async def is_whole(benchmark: Running) -> bool:
    """Whether benchmark has heard of every country and each of its results."""
    stub = benchmark.as_role(BenchmarkServiceStub, "manager")
    for year in YEARS:
        race = pb.Race(instrument="egdi", period=year, stage="publication", group="kind:country")
        try:
            answer = await stub.GetRanking(pb.GetRankingRequest(race=race))
        except grpc.aio.AioRpcError:
            # There is no such group before the first country is known.
            return False
        if answer.total < 193:
            return False
    return True


@pytest.fixture
async def services(servers: Servers, issuer: Issuer, nats_url: str) -> AsyncIterator[dict[str, Running]]:
    async with AsyncExitStack() as stack:
        found = {}
        for name in ("program", "assessment", "benchmark"):
            found[name] = await stack.enter_async_context(running_service(name, servers, issuer, nats_url))
        yield found


@pytest.fixture
def livinglab(services: dict[str, Running], issuer: Issuer, tmp_path: Path) -> CommandLine:
    return CommandLine(services, issuer.token("manager"), tmp_path)


def directory_file(folder: Path) -> Path:
    """Countries as a spreadsheet has them; those of an association name it."""
    lines = ["code,name,kind,parent", "ASEAN,Association of Southeast Asian Nations,association,"]
    for code in sorted({row["country"] for row in PANEL}):
        lines.append(f"{code},Country {code},country,{'ASEAN' if code in ASEAN else ''}")
    file = folder / "countries.csv"
    file.write_text("\n".join(lines) + "\n")
    return file


def results_file(folder: Path) -> Path:
    lines = ["institution,instrument,period,stage,index"]
    lines += [
        f"{row['country']},egdi,{row['year']},publication,{row['index']}" for row in PANEL if row["year"] in YEARS
    ]
    file = folder / "indices.csv"
    file.write_text("\n".join(lines) + "\n")
    return file


async def test_a_panel_of_countries_comes_out_as_it_was_published(
    livinglab: CommandLine, services: dict[str, Running], tmp_path: Path
) -> None:
    countries, indices = directory_file(tmp_path), results_file(tmp_path)
    assert await livinglab.json("instrument", "publish", INSTRUMENT) == {"id": "egdi", "version": 1}
    assert await livinglab.json("institution", "import", countries) == {"imported": 194, "unchanged": 0, "rejected": []}
    # At once, with no wait between them.
    answer = await livinglab.json("assessment", "import", indices)
    assert answer == {"imported": 2 * 193, "unchanged": 0, "rejected": [], "doubts": []}
    assert await livinglab.json("institution", "import", countries) == {"imported": 0, "unchanged": 194, "rejected": []}
    assert len(await livinglab.json("institution", "list", "--kind", "country")) == 193

    asked = ("ranking", "--instrument", "egdi", "--stage", "publication")

    await eventually(lambda: is_whole(services["benchmark"]), timeout=60)
    for year in YEARS:
        rows = (await livinglab.json(*asked, "--period", year))["rows"]
        panel = published(year)
        assert {row["institution"]: row["rank"] for row in rows} == {c: int(row["rank"]) for c, row in panel.items()}
        assert {row["institution"]: Decimal(row["index"]) for row in rows} == {
            code: Decimal(row["index"]) for code, row in panel.items()
        }
        assert all(row["published"] == row["index"] and row["name"] == f"Country {row['institution']}" for row in rows)
        ties = Counter(row["rank"] for row in rows)
        assert ties == Counter(int(row["rank"]) for row in panel.values())
        assert [row["rank"] for row in rows] == sorted(row["rank"] for row in rows)
    movement = {row["institution"]: row["movement"] for row in rows}
    before = published("2016")
    assert movement == {code: int(before[code]["rank"]) - int(row["rank"]) for code, row in panel.items()}
    # The survey of 2018 counts 40 countries as very high, 71 as high, 66 as middle, 16 as low.
    groups = Counter(row["predicate"] for row in rows)
    assert groups == {"Very high EGDI": 40, "High EGDI": 71, "Middle EGDI": 66, "Low EGDI": 16}
    members = (await livinglab.json(*asked, "--period", "2018", "--group", "parent:ASEAN"))["rows"]
    assert [row["institution"] for row in members] == sorted(ASEAN, key=lambda code: int(panel[code]["rank"]))
    assert [row["rank"] for row in members] == list(range(1, 11))


async def test_bad_rows_are_named_by_line_and_nothing_is_imported(livinglab: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "bad.csv"
    file.write_text("code,name,kind,parent\nKOR,Korea,country,\n32.11,Sunda,kingdom,\nX,,country,\n")
    code, out, err = await livinglab.run("institution", "import", file, "--json")
    reasons = [
        "32.11 is an official region, Kabupaten Sumedang (kabupaten of 32), and stays so",
        "has no name",
    ]
    assert (code, json.loads(out)) == (
        1,
        {
            "imported": 0,
            "unchanged": 0,
            "rejected": [{"line": line, "reason": reason} for line, reason in zip((3, 4), reasons, strict=True)],
        },
    )
    assert err == "refused: 2 rows are bad, nothing was imported\n"
    code, out, err = await livinglab.run("institution", "import", file)
    assert (code, out) == (1, "")
    assert err.splitlines()[1:] == [
        f"{file}: line {line}: {reason}" for line, reason in zip((3, 4), reasons, strict=True)
    ]
    code, out, err = await livinglab.run("institution", "list", "--kind", "country")
    assert (code, out, err) == (0, "There is no such institution.\n", "")
    file.write_text("code,name,kind\nKOR,Korea,country\n")
    code, out, err = await livinglab.run("institution", "import", file, "--dry-run")
    assert (code, out, err) == (0, "1 institutions would be imported, 0 unchanged\n", "")
    code, _, err = await livinglab.run("institution", "import", tmp_path / "nowhere.csv")
    assert (code, err) == (1, f"{tmp_path}/nowhere.csv: cannot be read: No such file or directory\n")
    code, out, _ = await livinglab.run("institution", "list", "--parent", "31")
    assert (code, out.count("Kota ")) == (0, 5)
    unknown = tmp_path / "unknown.csv"
    unknown.write_text("institution,instrument,period,stage,index\nKOR,spbe-59-2020,2022,publication,3\n")
    code, _, err = await livinglab.run("assessment", "import", unknown)
    assert (code, err.splitlines()[1:]) == (1, [f"{unknown}: line 2: institution 'KOR' is not known"])
