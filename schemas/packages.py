"""Packages of the protos for Python, Go and JavaScript, with one version, that of the distribution. What a tool is
missing for is left out and said."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

from schemas.contract import PROTOS, ROOT, compiled, proto_files

NAME = "livinglab-protos"
# Of the Go module; whoever publishes it puts their own host there.
GO_MODULE = "livinglab.local/protos"
_GO_PROTOBUF = "v1.36.12"
_NODE = ROOT / "schemas" / "node"
_GENERATED = ("*_pb2.py", "*_pb2.pyi", "*_pb2_grpc.py", "*_pb2_grpc.pyi")


class ToolMissing(Exception):
    """A package cannot be built here."""


def wheel(out: Path) -> Path:
    """Protos, generated messages and stubs, and the client livinglab.events; the wheel's path."""
    source = _empty(out / "python")
    _with_protos(source)
    for pattern in _GENERATED:
        for path in (ROOT / "gen").rglob(pattern):
            _copy(path, source / path.relative_to(ROOT / "gen"))
    for path in (ROOT / "schemas" / "python").rglob("*.py"):
        _copy(path, source / path.relative_to(ROOT / "schemas" / "python"))
    (source / "livinglab" / "events" / "py.typed").touch()
    (source / "pyproject.toml").write_text(_pyproject())
    _run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)], source)
    return out / f"{NAME.replace('-', '_')}-{version('livinglab')}-py3-none-any.whl"


def _pyproject() -> str:
    return f"""[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "{NAME}"
version = "{version("livinglab")}"
description = "Contract of the Living Lab platform: protos, generated messages, and a client of its facts"
requires-python = ">=3.11"
license = "Apache-2.0"
dependencies = ["protobuf>=7.36,<8"]

[project.optional-dependencies]
events = ["nats-py>=2.16,<3"]
grpc = ["grpcio>=1.85,<2"]

[tool.hatch.build.targets.wheel]
packages = ["livinglab"]
"""


def go(out: Path) -> Path:
    """A module with a package for each package of the protos; its folder."""
    folder = _empty(out / "go")
    if not shutil.which("go"):
        raise ToolMissing("no go: the Go module is left out")
    plugin = out / "tools" / "protoc-gen-go"
    if not plugin.exists():
        install = ["go", "install", f"google.golang.org/protobuf/cmd/protoc-gen-go@{_GO_PROTOBUF}"]
        _run(install, out, GOBIN=str(plugin.parent))
    places = [f"M{name}={GO_MODULE}/{Path(name).parent};{_go_package(name)}" for name in proto_files()]
    options = ",".join((f"module={GO_MODULE}", *places))
    compiled(f"--plugin=protoc-gen-go={plugin}", f"--go_out={folder}", f"--go_opt={options}")
    _with_protos(folder)
    (folder / "go.mod").write_text(
        f"// {NAME} {version('livinglab')}\nmodule {GO_MODULE}\n\ngo 1.23\n\n"
        f"require google.golang.org/protobuf {_GO_PROTOBUF}\n"
    )
    return folder


def _go_package(name: str) -> str:
    """assessmentv1"""
    *_, service, edition = Path(name).parent.parts
    return service + edition


def npm(out: Path) -> Path:
    """A package of ES modules with types, packed as npm would publish it; the archive's path."""
    plugin = _NODE / "node_modules" / ".bin" / "protoc-gen-es"
    if not plugin.exists():
        raise ToolMissing("no node, or `make foreign` has not run: the npm package is left out")
    folder = _empty(out / "npm")
    compiled(f"--plugin=protoc-gen-es={plugin}", f"--es_out={folder}", "--es_opt=target=js+dts,import_extension=js")
    _with_protos(folder)
    about = {
        "name": NAME,
        "version": version("livinglab"),
        "description": "Contract of the Living Lab platform: protos and messages for @bufbuild/protobuf",
        "license": "Apache-2.0",
        "type": "module",
        "exports": {"./*.js": "./*.js", "./*.proto": "./*.proto"},
        "dependencies": {"@bufbuild/protobuf": "^2.17.0"},
    }
    (folder / "package.json").write_text(json.dumps(about, indent=2) + "\n")
    archive = out / f"{NAME}-{version('livinglab')}.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder, "package")
    return archive


def _with_protos(folder: Path) -> None:
    for name in proto_files():
        _copy(PROTOS / name, folder / name)
    _copy(ROOT / "LICENSE", folder / "LICENSE")


def _copy(path: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, to)


def _empty(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _run(argv: Sequence[str], folder: Path, **environment: str) -> None:
    done = subprocess.run(
        argv, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise ValueError(f"{' '.join(argv[:4])}: {done.stderr.strip()[-500:]}")


def build(out: Path) -> Iterator[str]:
    """Each package, and what was left out and why, a line each."""
    for make in (wheel, go, npm):
        try:
            yield f"built {make(out)}"
        except ToolMissing as missing:
            yield str(missing)
