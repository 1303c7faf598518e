"""Renders a release from the kustomize files: `make release IMAGE=registry/livinglab@sha256:...`.

Two files come out, to be applied one after the other: what is made before a roll-out, and everything. Nothing in them
is found by a tag that may move."""

import argparse
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
KUBECTL = Path(sys.executable).parent / "kubectl"
# What the jobs need to be there, in the order in which it is applied.
_BEFORE = ("Namespace", "ServiceAccount", "ConfigMap", "Job")
_IMAGE = re.compile(r"(?P<name>[^@\s]+)@(?P<digest>sha256:[0-9a-f]{64})")


class NotPinned(Exception):
    """An image that is not named by its digest."""


def rendered(overlay: Path, image: str) -> list[dict[str, Any]]:
    """Every object of the overlay and the jobs, with that image."""
    named = _IMAGE.fullmatch(image)
    if named is None:
        raise NotPinned(f"{image or 'no image'}: an image is named by its digest, name@sha256:...")
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder).resolve()
        kustomization = {
            "resources": [os.path.relpath(path.resolve(), here) for path in (overlay, ROOT / "deploy/k8s/prepare")],
            "images": [{"name": "livinglab", "newName": named["name"], "digest": named["digest"]}],
        }
        (here / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
        built = subprocess.run([KUBECTL, "kustomize", here], check=True, capture_output=True, text=True)
    objects = [one for one in yaml.safe_load_all(built.stdout) if one]
    loose = {name for name in images(objects) if not _IMAGE.fullmatch(name)}
    if loose:
        raise NotPinned(f"by a tag alone: {', '.join(sorted(loose))}")
    return objects


def images(objects: Iterable[Mapping[str, Any]]) -> set[str]:
    """Every image that pods of these objects run."""
    pods = [one["spec"]["template"]["spec"] for one in objects if "template" in one.get("spec", {})]
    return {container["image"] for pod in pods for container in pod["containers"] + pod.get("initContainers", [])}


def write(objects: list[dict[str, Any]], version: str, out: Path) -> list[Path]:
    """The files of a release and their sums; byte for byte the same from the same sources."""
    out.mkdir(parents=True, exist_ok=True)
    kinds = {kind: n for n, kind in enumerate(_BEFORE)}
    before = sorted((one for one in objects if one["kind"] in kinds), key=lambda one: kinds[one["kind"]])
    parts = {"prepare": before, "install": [one for one in objects if one["kind"] != "Job"]}
    files = []
    for name, part in parts.items():
        path = out / f"livinglab-{version}-{name}.yaml"
        path.write_text(yaml.safe_dump_all(part, sort_keys=False, width=120))
        files.append(path)
    sums = out / "SHA256SUMS"
    sums.write_text("".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files))
    return [*files, sums]


def main() -> int:
    """Exit code 1 where an image is not pinned."""
    told = argparse.ArgumentParser(prog="make release", description=__doc__)
    told.add_argument("--image", default="")
    told.add_argument("--overlay", type=Path, default=ROOT / "deploy/k8s/overlays/production")
    told.add_argument("--out", type=Path, default=ROOT / "dist/release")
    given = told.parse_args()
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    try:
        objects = rendered(given.overlay, given.image)
    except NotPinned as fault:
        print(fault, file=sys.stderr)
        return 1
    for path in write(objects, version, given.out):
        print(os.path.relpath(path))
    return 0


if __name__ == "__main__":
    sys.exit(main())
