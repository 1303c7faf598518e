"""What is done to the cluster while a cohort runs, each thing with how long it took until all was whole again."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from deploy.cluster.cluster import Cluster, until
from deploy.cluster.product import NAMESPACE, pods, ready

_PATIENCE = 400.0


@dataclass(frozen=True)
class Step:
    """When something was done, by the clock, and how long it took to be whole again."""

    what: str
    began: float
    took: float
    # Planned by whoever operates the platform: nobody should notice.
    planned: bool

    def as_json(self) -> dict[str, object]:
        """For the report."""
        return asdict(self)


def rolled(cluster: Cluster, names: list[str]) -> Step:
    """Every one of these is replaced, pod by pod, side by side."""

    def act() -> None:
        for name in names:
            cluster.kubectl("-n", NAMESPACE, "rollout", "restart", f"deployment/{name}")
        for name in names:
            cluster.kubectl("-n", NAMESPACE, "rollout", "status", f"deployment/{name}", "--timeout=400s")

    return _timed(f"roll of {', '.join(names)}", act, planned=True)


def killed(cluster: Cluster, name: str) -> Step:
    """The process of one pod gets SIGKILL, from outside of it."""
    [victim, *_] = pods(cluster, name)
    key, before = victim["metadata"]["uid"], _restarts(victim)

    def act() -> None:
        os.kill(_process(cluster, victim), signal.SIGKILL)
        until(
            lambda: any(p["metadata"]["uid"] == key and _restarts(p) > before for p in pods(cluster, name)), _PATIENCE
        )
        until(lambda: ready(cluster, name), _PATIENCE)

    return _timed(f"kill -9 of {name}", act, planned=False)


def replaced(cluster: Cluster, name: str) -> Step:
    """The pod of a server is deleted and comes again elsewhere or here."""
    [victim, *_] = pods(cluster, name)

    def act() -> None:
        cluster.kubectl("-n", NAMESPACE, "delete", "pod", victim["metadata"]["name"])
        until(lambda: ready(cluster, name), _PATIENCE)

    return _timed(f"replacement of {name}", act, planned=False)


def drained(cluster: Cluster, node: str, names: list[str]) -> Step:
    """A node is emptied against the budgets of its pods, and given back."""

    def act() -> None:
        words = ["--ignore-daemonsets", "--delete-emptydir-data", "--timeout=400s"]
        cluster.kubectl("drain", node, *words)
        until(lambda: all(ready(cluster, name) for name in names), _PATIENCE)

    step = _timed(f"drain of {node}", act, planned=True)
    cluster.kubectl("uncordon", node)
    return step


def _timed(what: str, act: Callable[[], None], *, planned: bool) -> Step:
    began, started = time.time(), time.monotonic()
    act()
    step = Step(what, began, round(time.monotonic() - started, 1), planned)
    print(f"  {step.what}: whole after {step.took} s", flush=True)
    return step


def _restarts(pod: dict[str, object]) -> int:
    statuses = pod["status"].get("containerStatuses", [])  # type: ignore[attr-defined]
    return int(statuses[0]["restartCount"]) if statuses else 0


def _process(cluster: Cluster, pod: dict[str, object]) -> int:
    [status] = pod["status"]["containerStatuses"]  # type: ignore[index]
    container = status["containerID"].removeprefix("containerd://")
    [node] = [node for node in cluster.nodes if node.name == pod["spec"]["nodeName"]]  # type: ignore[index]
    for line in cluster.ctr(node, "tasks", "ls").splitlines():
        if line.startswith(container):
            return int(line.split()[1])
    raise RuntimeError(f"{container} runs nowhere")
