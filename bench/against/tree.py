"""A revision in a work tree of its own, with its generated code and the packages that are installed here."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Tree:
    """Where a revision's code lies, and what its processes are told so that they import it and nothing else."""

    revision: str
    folder: Path

    def environment(self, home: Path) -> dict[str, str]:
        """Of a process of it, whose platform lives in that folder."""
        places = (self.folder, self.folder / "gen", self.folder / "schemas" / "python")
        return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, places)), "LIVINGLAB_HOME": str(home)}


def here() -> Tree:
    """This one, as it lies in the work tree."""
    return Tree("now", _PROJECT)


@contextmanager
def checked_out(revision: str) -> Iterator[Tree]:
    """For as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="livinglab-bench-") as folder:
        tree = Tree(revision, Path(folder) / "tree")
        _git("worktree", "add", "--quiet", "--detach", str(tree.folder), revision)
        try:
            _generate(tree.folder)
            yield tree
        finally:
            _git("worktree", "remove", "--force", str(tree.folder))


def measured(tree: Tree, parts: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
    """What its own `bench` says: rows by their id, as far as that revision came."""
    told = tree.environment(tree.folder.with_name("home"))
    subprocess.run([sys.executable, "-m", "bench", *parts], check=False, cwd=tree.folder, env=told)
    kept = tree.folder / "bench" / "latest.json"
    rows = json.loads(kept.read_text()) if kept.exists() else []
    return {row["id"]: row for row in rows}


def _generate(folder: Path) -> None:
    gen = folder / "gen"
    gen.mkdir()
    protos = [str(path) for path in sorted((folder / "protos").rglob("*.proto"))]
    options = [f"-I{folder / 'protos'}", f"--python_out={gen}", f"--grpc_python_out={gen}"]
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", *options, *protos], check=True, cwd=folder)


def _git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], check=True, cwd=_PROJECT)
