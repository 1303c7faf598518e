"""`make k8s-test`: a cluster, the product on it, a rehearsal, everything rolled, killed and drained meanwhile, then the
invariants. As root, on a Linux with containerd, runc, nftables, iproute2 and the plugins of CNI (Debian's packages)."""

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deploy.cluster import binaries, callers, images, product, trouble
from deploy.cluster.cluster import Cluster
from deploy.cluster.trouble import Step
from stack.fleet import MEMBERS

_NEEDED = {
    "containerd": "containerd",
    "runc": "runc",
    "ip": "iproute2",
    "nft": "nftables",
    "cc": "gcc",
    "buildah": "buildah",
}
_CALLED = [*callers.SERVICES, "program-worker"]


def main() -> int:
    """Exit code 0 where everything holds; 1 where something does not; 2 where it cannot be tried here."""
    told = argparse.ArgumentParser(prog="make k8s-test", description=__doc__)
    told.add_argument("--regions", type=int, default=62)
    told.add_argument("--pace", default="1.5", help="seconds a day")
    told.add_argument("--report", type=Path, default=images.ROOT / "dist/k8s-test.json")
    told.add_argument("--image", type=Path, help="an archive of the product's image; else it is built")
    told.add_argument("--keep", action="store_true", help="leave the cluster running")
    given = told.parse_args()
    missing = [package for command, package in _NEEDED.items() if not shutil.which(command)]
    if os.geteuid() or missing:
        print(f"cannot be tried here: {'as root only' if os.geteuid() else 'apt-get install ' + ' '.join(missing)}")
        return 2
    report = _tried(given)
    given.report.parent.mkdir(parents=True, exist_ok=True)
    given.report.write_text(json.dumps(report, indent=1))
    broken = [key for key, holds in report["holds"].items() if not holds]
    print("all holds" if not broken else f"does not hold: {', '.join(broken)}")
    return 1 if broken else 0


def _tried(given: argparse.Namespace) -> dict[str, Any]:
    built = binaries.build()
    archive = _archive(given.image)
    home = Path(tempfile.mkdtemp(prefix="livinglab-k8s-"))
    cluster = Cluster(home, built)
    report: dict[str, Any] = {"holds": {}, "steps": []}
    try:
        started = time.monotonic()
        cluster.up(archive, remembered=5)
        report["up"] = round(time.monotonic() - started, 1)
        report["available"] = round(product.install(cluster), 1)
        print(f"cluster up in {report['up']} s, product available after {report['available']} s", flush=True)
        report["holds"]["a pod that violates the policy is refused"] = "violates PodSecurity" in product.refused(
            cluster
        )
        time.sleep(15)
        report["at rest"] = product.usage(cluster)
        report["stored before"] = product.stored(cluster)
        with _running(cluster, home, "call", home / "calls.jsonl") as calling:
            rehearsal = _begin(cluster, home, "rehearse", str(home / "cohort.json"), str(given.regions), given.pace)
            steps = _disturbed(cluster, report)
            print("waiting for the end of the cohort", flush=True)
            rehearsal.wait()
            calling.send_signal(signal.SIGTERM)
            calling.wait()
        report["stored after"] = product.stored(cluster)
        report["steps"] = [step.as_json() for step in steps]
        _judge(home, steps, report)
    finally:
        logs = images.ROOT / "dist/k8s-test-logs"
        shutil.rmtree(logs, ignore_errors=True)
        logs.mkdir(parents=True)
        for path in [*home.glob("*.log"), *home.glob("*.json*")]:
            shutil.copy(path, logs)
        if not given.keep:
            cluster.down()
    return report


def _archive(image: Path | None) -> Path:
    """Of every image that the cluster runs; the product's is built where none is given."""
    if image is None:
        environment = os.environ | {"BASE": "own", "OUT": str(binaries.CACHE / "image")}
        subprocess.run([images.ROOT / "deploy/image/build.sh"], check=True, env=environment)
        image = binaries.CACHE / "image/livinglab.tar"
    made = binaries.CACHE / "images.tar"
    images.of_cluster(image, binaries.CACHE / f"bin-{binaries.KUBERNETES}/coredns", made)
    return made


def _disturbed(cluster: Cluster, report: dict[str, Any]) -> list[Step]:
    steps = [trouble.rolled(cluster, _CALLED)]
    report["under the rehearsal"] = product.usage(cluster)
    steps += [trouble.killed(cluster, name) for name in MEMBERS]
    steps += [trouble.killed(cluster, name) for name in product.SERVERS if name != "smtp"]
    steps.append(trouble.replaced(cluster, "mongod"))
    steps.append(trouble.drained(cluster, "node-2", list(MEMBERS)))
    cluster.remember(30)
    steps.append(trouble.rolled(cluster, _CALLED))
    steps.append(trouble.drained(cluster, "node-2", list(MEMBERS)))
    return steps


def _judge(home: Path, steps: list[Step], report: dict[str, Any]) -> None:
    cohort = json.loads((home / "cohort.json").read_text()) if (home / "cohort.json").exists() else None
    report["cohort"] = cohort
    holds = report["holds"]
    holds["the cohort came to its end"] = bool(cohort and cohort["state"] == "COHORT_STATE_COMPLETED")
    holds["every invariant"] = bool(cohort and cohort["findings"] and all(held for _, held, _ in cohort["findings"]))
    calls = [json.loads(line) for line in (home / "calls.jsonl").read_text().splitlines()]
    report["calls"] = []
    for n, step in enumerate(steps):
        # Until the next one begins: what it broke may be noticed later.
        ends = steps[n + 1].began if n + 1 < len(steps) else step.began + step.took + 10
        for kind in ("retrying", "plain"):
            mine = [one for one in calls if one["kind"] == kind and step.began <= one["at"] < ends]
            lost = sum(one["code"] in callers.LOST for one in mine)
            slowest = max((one["took"] for one in mine), default=0.0)
            report["calls"].append([step.what, kind, len(mine), lost, round(slowest, 2)])
            print(f"  {step.what}: {kind}: {lost} of {len(mine)} lost, slowest {slowest:.2f} s")
            if step.planned:
                key = f"no {kind} call is lost in planned work"
                holds[key] = holds.get(key, True) and lost == 0


def _begin(cluster: Cluster, home: Path, *words: str) -> subprocess.Popen[bytes]:
    what, *rest = words
    command = [sys.executable, "-m", "deploy.cluster.callers", what, str(home), *rest]
    log = (home / f"{what}.log").open("wb")
    return cluster.inside(command, cwd=images.ROOT, stdout=log, stderr=log)


@contextlib.contextmanager
def _running(cluster: Cluster, home: Path, what: str, out: Path) -> Iterator[subprocess.Popen[bytes]]:
    started = _begin(cluster, home, what, str(out))
    try:
        yield started
    finally:
        if started.poll() is None:
            started.terminate()
            started.wait()


if __name__ == "__main__":
    sys.exit(main())
