"""The images of a cluster that no registry serves: the product's with a layer more for each server, and two of nothing
but a binary. Written as archives by hand, so that only the product's own needs a builder."""

import hashlib
import io
import json
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.cluster.binaries import CACHE

ROOT = Path(__file__).parents[2]
SITE = next(ROOT.glob(".venv/lib/python3.*/site-packages"))
PAUSE, NAMES = "localhost/pause:one", "localhost/coredns:one"

# The first process of each pod: waits, and takes in those whose parents are gone.
_PAUSE = """
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
static void leave(int n) { _exit(n - n); }
static void collect(int n) { while (waitpid(-1, 0, WNOHANG) > 0 && n); }
int main(void) {
    signal(SIGINT, leave); signal(SIGTERM, leave); signal(SIGCHLD, collect);
    while (1) pause();
}
"""
# As much of mongosh as the probe in infra/mongod.yaml asks for.
_SHELL = '''#!/opt/livinglab/bin/python
"""Makes a bare server a replica set of the member that the probe names; exit code 1 while it is no primary."""
import re
import sys

from pymongo import MongoClient
from pymongo.errors import OperationFailure

text = sys.argv[sys.argv.index("--eval") + 1]
name, host = re.search(r'_id: "(\\w+)", members: \\[\\{_id: 0, host: "([^"]+)"', text).groups()
admin = MongoClient("127.0.0.1:27017", directConnection=True, serverSelectionTimeoutMS=4000).admin
try:
    admin.command("replSetGetStatus")
except OperationFailure:
    admin.command("replSetInitiate", {"_id": name, "members": [{"_id": 0, "host": host}]})
sys.exit(not admin.command("hello").get("isWritablePrimary"))
'''


@dataclass(frozen=True)
class Image:
    """Its name, its layers from the lowest, and how it is run."""

    tag: str
    layers: Sequence[bytes]
    config: Mapping[str, Any]


def archive(to: Path, images: Sequence[Image]) -> None:
    """A file as `docker save` writes it of several images: a layer that they share is in it once."""
    files: dict[str, bytes] = {}
    manifest = []
    for image in images:
        sums = [hashlib.sha256(layer).hexdigest() for layer in image.layers]
        about = {
            "architecture": "amd64",
            "os": "linux",
            "config": dict(image.config),
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{one}" for one in sums]},
            "history": [{"created": "1970-01-01T00:00:00Z"} for _ in sums],
        }
        text = json.dumps(about).encode()
        name = f"{hashlib.sha256(text).hexdigest()}.json"
        files |= {f"{one}.tar": layer for one, layer in zip(sums, image.layers, strict=True)} | {name: text}
        manifest.append({"Config": name, "RepoTags": [image.tag], "Layers": [f"{one}.tar" for one in sums]})
    files["manifest.json"] = json.dumps(manifest).encode()
    half = to.with_suffix(".half")
    with tarfile.open(half, "w") as out:
        for path, content in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            out.addfile(entry, io.BytesIO(content))
    half.rename(to)


def layer(files: Mapping[str, Path | str]) -> bytes:
    """Files and folders by where they stand in the image; a text is a script."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for where, what in files.items():
            if isinstance(what, str):
                entry = tarfile.TarInfo(where)
                entry.size, entry.mode = len(what.encode()), 0o755
                tar.addfile(entry, io.BytesIO(what.encode()))
            else:
                tar.add(what.resolve(), where, filter=_plain)
    return out.getvalue()


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    entry.uid = entry.gid = entry.mtime = 0
    return None if "__pycache__" in entry.name else entry


def of_cluster(product: Path, coredns: Path, to: Path) -> None:
    """Every image that a node needs: the product's, those that deploy/k8s/infra names, on top of it, and two more."""
    with tarfile.open(product) as kept:
        [manifest] = json.load(_member(kept, "manifest.json"))
        below = [_member(kept, name).read() for name in manifest["Layers"]]
        config = json.load(_member(kept, manifest["Config"]))["config"]
    images = [
        Image(manifest["RepoTags"][0], below, config),
        Image(PAUSE, [layer({"pause": _pause()})], {"Entrypoint": ["/pause"], "User": "65535:65535"}),
        Image(NAMES, [layer({"coredns": coredns})], {"Entrypoint": ["/coredns"]}),
    ]
    mail = ("aiosmtpd", "attr", "attrs", "atpublic-9.0.0.dist-info", "public")
    servers: dict[str, tuple[str, dict[str, Path | str], list[str]]] = {
        "mongo": (
            "mongo:6.0.5",
            {"usr/local/bin/mongod": SITE / "fiftyone/db/bin/mongod", "usr/local/bin/mongosh": _SHELL},
            ["mongod"],
        ),
        "nats": ("nats:2.15.1-alpine", {"usr/local/bin/nats-server": ROOT / ".venv/bin/nats-server"}, ["nats-server"]),
        "temporal": (
            "temporalio/temporal:1.9.1",
            {"usr/local/bin/temporal": ROOT / ".venv/bin/temporal"},
            ["temporal"],
        ),
        "mailpit": (
            "axllent/mailpit:v1.27",
            {
                **{f"opt/mail/{name}": SITE / name for name in mail if (SITE / name).exists()},
                "opt/mail/stack/__init__.py": ROOT / "stack/__init__.py",
                "opt/mail/stack/mailbox.py": ROOT / "stack/mailbox.py",
            },
            ["python", "-m", "stack.mailbox", "--folder", "/tmp/mails", "--host", "0.0.0.0", "--port", "1025"],
        ),
    }
    for tag, files, command in servers.values():
        environment = [one for one in config["Env"] if not one.startswith("PYTHONPATH")] + ["PYTHONPATH=/opt/mail"]
        own = {"Env": environment, "Entrypoint": command, "WorkingDir": "/tmp"}
        repository = tag if "/" in tag else f"library/{tag}"
        images.append(Image(f"docker.io/{repository}", [*below, layer(files)], own))
    archive(to, images)


def _member(kept: tarfile.TarFile, name: str) -> Any:
    found = kept.extractfile(name)
    assert found
    return found


def _pause() -> Path:
    made = CACHE / "pause"
    if not made.exists():
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "pause.c"
            source.write_text(_PAUSE)
            subprocess.run(["cc", "-Os", "-static", "-o", made, source], check=True)
    return made
