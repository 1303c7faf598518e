"""The same figures of another revision, measured in the same run by its own `bench` in a work tree of its own."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

_PROJECT = Path(__file__).resolve().parents[1]


def measured(revision: str, parts: Sequence[str], out: Console) -> Mapping[str, Mapping[str, Any]]:
    """Rows by their id, as far as that revision came; with the packages that are installed here."""
    out.print(f"measuring {revision} first", style="dim")
    with tempfile.TemporaryDirectory(prefix="livinglab-bench-") as folder:
        tree = Path(folder) / "tree"
        _git("worktree", "add", "--quiet", "--detach", str(tree), revision)
        try:
            _run(tree, Path(folder) / "home", parts)
            return _rows(tree / "bench" / "latest.json")
        finally:
            _git("worktree", "remove", "--force", str(tree))


def _run(tree: Path, home: Path, parts: Sequence[str]) -> None:
    gen = tree / "gen"
    gen.mkdir()
    protos = [str(path) for path in sorted((tree / "protos").rglob("*.proto"))]
    options = [f"-I{tree / 'protos'}", f"--python_out={gen}", f"--grpc_python_out={gen}"]
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", *options, *protos], check=True, cwd=tree)
    told = {"PYTHONPATH": os.pathsep.join([str(tree), str(gen)]), "LIVINGLAB_HOME": str(home)}
    subprocess.run([sys.executable, "-m", "bench", *parts], check=False, cwd=tree, env={**os.environ, **told})


def _rows(file: Path) -> Mapping[str, Mapping[str, Any]]:
    """Nothing where it measured nothing."""
    rows = json.loads(file.read_text()) if file.exists() else []
    return {row["id"]: row for row in rows}


def _git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], check=True, cwd=_PROJECT)
