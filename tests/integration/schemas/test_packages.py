"""Packages of the protos as outsiders get them, and subscribers in three languages built from them, on a broker."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import pytest
from livinglab.assessment.v1 import events_pb2

from chassis import naming
from schemas import packages
from schemas.contract import PROTOS, ROOT, facts
from tests.harness.service import publish

# Where the examples look for them, and `make schemas` puts them.
OUT = ROOT / "dist" / "schemas"
EXAMPLES = ROOT / "examples"
SUBJECT = "assessment.v1.*.32.>"
_FETCH_SECONDS = 120
CLIENT = """
import asyncio, sys
sys.path[:0] = sys.argv[1:3]
from livinglab.events import subscribe
async def main():
    async with subscribe(sys.argv[4], durable="outside", servers=sys.argv[3]) as facts:
        async for fact in facts:
            print(fact.type, fact.subject, fact.version, fact.data.answered, flush=True)
            if fact.version == 2:
                break
asyncio.run(main())
"""


@pytest.fixture(scope="module")
def out() -> Path:
    OUT.mkdir(parents=True, exist_ok=True)
    return OUT


@pytest.fixture
async def told(nats_url: str) -> str:
    """A broker with two facts of West Java and one of another province."""
    for institution, count in (("32.11", 1), ("33.01", 1), ("32.11", 2)):
        event = events_pb2.AnswersSaved(institution=institution, evaluation_id="e1", answered=count)
        await publish(nats_url, event, version=count, aggregate_id=f"e-{institution}")
    return nats_url


def run(argv: Sequence[object], folder: Path, **more: str) -> str:
    done = subprocess.run(
        list(map(str, argv)), cwd=folder, env={**os.environ, **more}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _go_builds(folder: Path) -> bool:
    """Whether there is a go that takes the example's version of the language, and its modules can be had."""
    if not shutil.which("go"):
        return False
    listed = re.findall(r"^\t(\S+) (v[1-9]\S*)", (EXAMPLES / "go" / "go.mod").read_text(), re.MULTILINE)
    modules = [f"{name}@{at}" for name, at in listed]
    try:
        for argv, place in ((["go", "version"], EXAMPLES / "go"), (["go", "mod", "download", *modules], folder)):
            subprocess.run(argv, cwd=place, capture_output=True, check=True, timeout=_FETCH_SECONDS)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return False
    return True


def test_the_wheel_has_the_schema_that_each_fact_names(out: Path) -> None:
    wheel = packages.wheel(out)
    assert wheel.name == f"livinglab_protos-{version('livinglab')}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        for fact in facts():
            package, _, file = naming.data_schema(fact.type).partition("?file=")
            assert package == f"pkg:pypi/{packages.NAME}"
            assert f"\nmessage {fact.name} {{" in archive.read(file).decode()


async def test_the_wheel_alone_with_protobuf_and_nats_hears_facts(out: Path, told: str, tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", tmp_path]
    run([*pip, packages.wheel(out)], tmp_path)
    # Without what this environment has of ours: no .pth file is read.
    site = sysconfig.get_path("purelib")
    said = run([sys.executable, "-S", "-c", CLIENT, tmp_path, site, told, SUBJECT], tmp_path)
    kind = "livinglab.assessment.v1.AnswersSaved"
    assert said.splitlines() == [f"{kind} e-32.11 1 1", f"{kind} e-32.11 2 2"]


async def test_a_subscriber_in_go_built_from_the_module_hears_facts(out: Path, told: str, tmp_path: Path) -> None:
    if not _go_builds(tmp_path):
        pytest.skip("no go, or nowhere to fetch its modules from: the Go module and its subscriber are left out")
    packages.go(out)
    # As committed: nothing that the build would have to add.
    run(["go", "build", "-mod=readonly", "-o", tmp_path / "subscriber", "."], EXAMPLES / "go")
    command = [tmp_path / "subscriber", "-nats", told, "-subject", SUBJECT, "-durable", "go", "-count", "1"]
    assert _lines(run(command, tmp_path)) == [("e-32.11", 1, 1)]
    assert _lines(run(command, tmp_path)) == [("e-32.11", 2, 2)]


async def test_a_subscriber_in_typescript_built_from_the_package_hears_facts(
    out: Path, told: str, tmp_path: Path
) -> None:
    tools = ROOT / "schemas" / "node" / "node_modules"
    if not shutil.which("node") or not tools.exists():
        pytest.skip("no node, or `make foreign` has not run: the npm package and its subscriber are left out")
    archive = packages.npm(out)
    shutil.copytree(
        EXAMPLES / "typescript", tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules")
    )
    modules = tmp_path / "node_modules"
    modules.mkdir()
    for tool in tools.iterdir():
        (modules / tool.name).symlink_to(tool)
    with tarfile.open(archive) as tar:
        tar.extractall(modules, filter="data")
    (modules / "package").rename(modules / packages.NAME)
    assert json.loads((modules / packages.NAME / "package.json").read_text())["version"] == version("livinglab")
    run([modules / ".bin" / "tsc"], tmp_path)
    command = ["node", "dist/subscriber.js", told, SUBJECT, "ts", "1"]
    assert _lines(run(command, tmp_path)) == [("e-32.11", 1, 1)]
    assert _lines(run(command, tmp_path)) == [("e-32.11", 2, 2)]


def _lines(said: str) -> list[tuple[str, int, int]]:
    rows = [json.loads(line) for line in said.splitlines()]
    assert {row["type"] for row in rows} == {"livinglab.assessment.v1.AnswersSaved"}
    return [(row["subject"], row["version"], row["data"]["answered"]) for row in rows]


def test_what_is_in_the_packages_is_every_proto(out: Path) -> None:
    with zipfile.ZipFile(packages.wheel(out)) as archive:
        names = set(archive.namelist())
    assert {str(path.relative_to(PROTOS)) for path in PROTOS.rglob("*.proto")} <= names
