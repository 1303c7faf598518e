"""The binaries of a cluster, built once from their Go modules and kept."""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

KUBERNETES = "1.34.4"
COREDNS = "1.13.1"
PARTS = ("kube-apiserver", "kubectl", "kubelet", "kube-controller-manager", "kube-scheduler", "kube-proxy")
CACHE = Path(os.environ.get("LIVINGLAB_K8S_CACHE", Path.home() / ".cache/livinglab/k8s"))

# The name server of a cluster needs four plugins of the fifty: these build in a quarter of the time.
_DNS = """// The name server of a cluster on one machine.
package main

import (
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"

	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/ready"
)

func init() {
	dnsserver.Directives = []string{"errors", "ready", "cache", "kubernetes"}
}

func main() {
	coremain.Run()
}
"""


def build() -> Path:
    """The folder with all of them; twelve minutes on two cores the first time, nothing after that."""
    folder = CACHE / f"bin-{KUBERNETES}"
    folder.mkdir(parents=True, exist_ok=True)
    missing = [part for part in PARTS if not (folder / part).exists()]
    if missing:
        module = _kubernetes_module(CACHE / f"kubernetes-{KUBERNETES}")
        version = f"-X k8s.io/component-base/version.gitVersion=v{KUBERNETES}"
        major, minor, _ = KUBERNETES.split(".")
        version += f" -X k8s.io/component-base/version.gitMajor={major}"
        version += f" -X k8s.io/component-base/version.gitMinor={minor}"
        for part in missing:
            _compile(module, f"k8s.io/kubernetes/cmd/{part}", folder / part, version)
    if not (folder / "coredns").exists():
        _compile(_dns_module(CACHE / f"coredns-{COREDNS}"), ".", folder / "coredns", "")
    return folder


def _kubernetes_module(folder: Path) -> Path:
    """A module that asks for Kubernetes, with its staging repositories at the same patch: its own go.mod looks for them
    in its own tree, which nobody else can."""
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "go.sum").exists():
        return folder
    told = json.loads(_go("mod", "download", "-json", f"k8s.io/kubernetes@v{KUBERNETES}", cwd=folder))
    upstream = Path(told["Dir"])
    said = json.loads(_go("mod", "edit", "-json", str(upstream / "go.mod"), cwd=folder))
    staging = {one["Old"]["Path"] for one in said["Replace"] if one["New"]["Path"].startswith("./staging/")}
    patch = f"v0.{KUBERNETES.partition('.')[2]}"
    edits = [f"-require=k8s.io/kubernetes@v{KUBERNETES}"]
    for wanted in said["Require"]:
        edits.append(f"-require={wanted['Path']}@{patch if wanted['Path'] in staging else wanted['Version']}")
    edits += [f"-replace={path}={path}@{patch}" for path in sorted(staging)]
    edits += [f"-godebug={one['Key']}={one['Value']}" for one in said.get("Godebug") or []]
    (folder / "go.mod").write_text(f"module cluster\n\ngo {said['Go']}\n")
    _go("mod", "edit", *edits, cwd=folder)
    _go("mod", "download", cwd=folder)
    # Last, since it says that the module is whole. What upstream has summed is checked against it.
    own = set((folder / "go.sum").read_text().splitlines()) if (folder / "go.sum").exists() else set()
    (folder / "go.sum").write_text("\n".join(sorted(own | set((upstream / "go.sum").read_text().splitlines()))) + "\n")
    return folder


def _dns_module(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "go.sum").exists():
        (folder / "main.go").write_text(_DNS)
        (folder / "go.mod").write_text("module names\n\ngo 1.24.0\n")
        _go("mod", "edit", f"-require=github.com/coredns/coredns@v{COREDNS}", cwd=folder)
        _go("mod", "tidy", cwd=folder)
    return folder


def _compile(module: Path, package: str, to: Path, flags: str) -> None:
    started = time.monotonic()
    half = to.with_suffix(".half")
    _go("build", "-p", "2", "-trimpath", "-ldflags", f"-s -w {flags}", "-o", str(half), package, cwd=module)
    half.rename(to)
    print(f"built {to.name} in {time.monotonic() - started:.0f} s", flush=True)


def _go(*words: str, cwd: Path) -> str:
    go = shutil.which("go")
    if go is None:
        raise SystemExit(
            "no Go compiler: the cluster's binaries are built with it ('apt-get install golang', 1.24 or newer)"
        )
    environment = os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false -mod=mod"}
    done = subprocess.run([go, *words], cwd=cwd, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"go {' '.join(words[:3])}: {done.stderr[-2000:]}")
    return done.stdout
