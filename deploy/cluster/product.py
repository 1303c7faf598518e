"""The product on a cluster, as docs/operations/kubernetes.md installs it for development, with two replicas of each."""

import json
import time
from pathlib import Path
from typing import Any

import yaml

from deploy.cluster.cluster import Cluster, until
from deploy.cluster.images import ROOT
from stack.fleet import MEMBERS
from stack.issuer import Issuer

NAMESPACE = "livinglab"
SERVERS = ("mongod", "nats", "temporal", "smtp")
_COMPONENTS = ("spread", "unhurried")


def install(cluster: Cluster) -> float:
    """Seconds until everything was available."""
    for name in ("mongod", "nats", "temporal"):
        _volume(cluster, name)
    own = cluster.folder / "overlay"
    own.mkdir(exist_ok=True)
    up = "/".join([".."] * len(own.resolve().parts[1:]))
    k8s = f"{up}{ROOT}/deploy/k8s"
    kustomization = {
        "resources": [f"{k8s}/overlays/dev"],
        "components": [f"{k8s}/components/{name}" for name in _COMPONENTS],
        # Sessions of the console are of one replica.
        "replicas": [{"name": name, "count": 2} for name in MEMBERS if name != "console"],
    }
    (own / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    started = time.monotonic()
    cluster.kubectl("apply", "-f", str(ROOT / "deploy/k8s/base/namespace.yaml"))
    cluster.kubectl("apply", "-k", str(own))
    keys = cluster.folder / "processes.json"
    keys.write_text(cluster.kubectl("get", "--raw", "/openid/v1/jwks"))
    people = Path(Issuer(cluster.folder / "issuer").jwks_url.removeprefix("file://"))
    sources = [f"--from-file=processes.json={keys}", f"--from-file=people.json={people}"]
    cluster.kubectl("-n", NAMESPACE, "create", "configmap", "livinglab-keys", *sources)
    until(lambda: all(ready(cluster, name) for name in (*SERVERS, *MEMBERS)), 900)
    return time.monotonic() - started


def ready(cluster: Cluster, name: str) -> bool:
    """Whether all pods of it that should be there are."""
    kind = "statefulset" if name in ("mongod", "nats", "temporal") else "deployment"
    found = {one["metadata"]["name"]: one for one in cluster.get("-n", NAMESPACE, kind)}
    if name not in found:
        return False
    one = found[name]
    status, wanted = one["status"], one["spec"]["replicas"]
    fresh = status.get("observedGeneration") == one["metadata"]["generation"]
    return bool(fresh and status.get("readyReplicas", 0) == status.get("updatedReplicas", 0) == wanted)


def pods(cluster: Cluster, name: str) -> list[dict[str, Any]]:
    """Those of it that are not on their way out."""
    found = cluster.get("-n", NAMESPACE, "pods", "-l", f"app.kubernetes.io/name={name}")
    return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]


def mails(cluster: Cluster) -> Path | None:
    """Where the mails of the pod that takes them lie on this machine."""
    found = cluster.folder.glob("node-*/kubelet/pods/*/volumes/kubernetes.io~empty-dir/tmp/mails")
    return max(found, key=lambda path: path.stat().st_mtime, default=None)


def usage(cluster: Cluster) -> dict[str, tuple[float, float]]:
    """By process: processors in thousandths and memory in MiB, of all its pods, as the kubelets measure them."""
    used: dict[str, tuple[float, float]] = {}
    for node in cluster.nodes:
        told = json.loads(cluster.kubectl("get", "--raw", f"/api/v1/nodes/{node.name}/proxy/stats/summary"))
        for pod in told["pods"]:
            if pod["podRef"]["namespace"] != NAMESPACE:
                continue
            for one in pod.get("containers", []):
                cpu, memory = used.get(one["name"], (0.0, 0.0))
                cpu += one.get("cpu", {}).get("usageNanoCores", 0) / 1e6
                memory += one.get("memory", {}).get("workingSetBytes", 0) / 2**20
                used[one["name"]] = (cpu, memory)
    return used


def stored(cluster: Cluster) -> dict[str, float]:
    """MiB on the disk, by server."""
    volumes = sorted((cluster.folder / "volumes").iterdir())
    sizes = {one.name: sum(path.stat().st_blocks * 512 for path in one.rglob("*") if path.is_file()) for one in volumes}
    return {name: round(size / 2**20, 1) for name, size in sizes.items()}


def refused(cluster: Cluster) -> str:
    """What the cluster says to a pod that does not keep to the restricted profile; empty where it lets it in."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "root", "namespace": NAMESPACE},
        "spec": {"containers": [{"name": "root", "image": "livinglab:0.1.0", "securityContext": {"privileged": True}}]},
    }
    try:
        cluster.kubectl("create", "-f", "-", told=json.dumps(pod))
    except RuntimeError as told:
        return str(told)
    return ""


def _volume(cluster: Cluster, name: str) -> None:
    """For the claim of a server: nobody provisions here. Of the kind that is given to the pod's group."""
    folder = cluster.folder / "volumes" / name
    folder.mkdir(parents=True, exist_ok=True)
    terms = [{"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["node-1"]}]}]
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": "2Gi"},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "claimRef": {"namespace": NAMESPACE, "name": f"data-{name}-0"},
            "local": {"path": str(folder)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": terms}},
        },
    }
    cluster.kubectl("apply", "-f", "-", told=json.dumps(volume))
