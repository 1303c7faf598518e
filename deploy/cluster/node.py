"""What a node is made of: the settings of containerd, kubelet and the network of its pods. Two share a machine."""

from dataclasses import dataclass
from pathlib import Path

from deploy.cluster.images import PAUSE


@dataclass(frozen=True)
class Node:
    """One node; `number` is 1 or 2."""

    number: int
    folder: Path
    keys: Path

    @property
    def name(self) -> str:
        """As the cluster knows it."""
        return f"node-{self.number}"

    @property
    def address(self) -> str:
        """On the bridge that both are on."""
        return f"10.99.0.{self.number}"

    @property
    def socket(self) -> Path:
        """Where its containerd answers."""
        return self.folder / "containerd.sock"

    @property
    def group(self) -> str:
        """The control group below which its pods stand: two kubelets would take each other's for strays."""
        return f"/livinglab-node-{self.number}"

    def write(self) -> None:
        """Its settings."""
        for name in ("network", "podlogs"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        settings = _CONTAINERD.format(folder=self.folder, socket=self.socket, pause=PAUSE)
        (self.folder / "containerd.toml").write_text(settings)
        # Not a bridge: what goes from pod to pod passes the rules of the node.
        (self.folder / "network/10-pods.conflist").write_text(_NETWORK % (self.number - 1))
        (self.folder / "kubelet.yaml").write_text(
            _KUBELET.format(
                folder=self.folder,
                socket=self.socket,
                keys=self.keys,
                name=self.name,
                group=self.group,
                port=10249 + self.number,
                health=10270 + self.number,
            )
        )
        for controller in Path("/sys/fs/cgroup").iterdir():
            if (controller / "cgroup.procs").exists() or (controller / "tasks").exists():
                (controller / self.group[1:]).mkdir(exist_ok=True)
        own = Path("/sys/fs/cgroup/cpuset") / self.group[1:]
        if own.exists():
            # A new set has no processors before it is given some.
            for what in ("cpuset.cpus", "cpuset.mems"):
                (own / what).write_text((own.parent / what).read_text())

    def kubelet(self) -> list[str]:
        """Its flags."""
        return [
            f"--config={self.folder}/kubelet.yaml",
            f"--kubeconfig={self.keys}/{self.name}.conf",
            f"--root-dir={self.folder}/kubelet",
            f"--cert-dir={self.folder}/pki",
            f"--hostname-override={self.name}",
            f"--node-ip={self.address}",
        ]


_CONTAINERD = """version = 2
root = "{folder}/containerd"
state = "{folder}/state"
oom_score = 0
[grpc]
  address = "{socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true
  stream_server_address = "127.0.0.1"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{folder}/network"
"""
_NETWORK = """{"cniVersion": "1.0.0", "name": "pods", "plugins": [{"type": "ptp", "ipMasq": false, "ipam": {
  "type": "host-local", "ranges": [[{"subnet": "10.244.%d.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}
"""
_KUBELET = """apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
cgroupDriver: cgroupfs
cgroupRoot: {group}
failCgroupV1: false
failSwapOn: false
containerRuntimeEndpoint: unix://{socket}
authentication: {{anonymous: {{enabled: false}}, x509: {{clientCAFile: {keys}/ca.crt}}, webhook: {{enabled: true}}}}
authorization: {{mode: Webhook}}
tlsCertFile: {keys}/{name}.crt
tlsPrivateKeyFile: {keys}/{name}.key
port: {port}
healthzPort: {health}
oomScoreAdj: 0
enforceNodeAllocatable: []
evictionHard: {{memory.available: 100Mi, nodefs.available: 1%, imagefs.available: 1%}}
imageGCHighThresholdPercent: 100
clusterDNS: [10.96.0.10]
clusterDomain: cluster.local
resolvConf: ""
podLogsDir: {folder}/podlogs
"""
