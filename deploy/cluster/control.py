"""What a control plane is made of: certificates, who speaks to it how, its processes and their flags."""

import subprocess
from pathlib import Path

IP, SERVICES, PODS = "10.99.0.1", "10.96.0.0/16", "10.244.0.0/16"
ISSUER = "https://kubernetes.default.svc.cluster.local"
_SERVICE = "kubernetes.default.svc.cluster.local"
_NAMES = ["localhost", *(_SERVICE.rsplit(".", n)[0] for n in (4, 3, 2)), _SERVICE]
_SERVER = ",".join([*(f"DNS:{name}" for name in _NAMES), "IP:127.0.0.1", "IP:10.96.0.1", f"IP:{IP}"])
# file: (its subject, the names that it holds)
CERTIFICATES = {
    "apiserver": ("/CN=kube-apiserver", _SERVER),
    "admin": ("/O=system:masters/CN=admin", "DNS:admin"),
    "controllers": ("/CN=system:kube-controller-manager", "DNS:controllers"),
    "scheduler": ("/CN=system:kube-scheduler", "DNS:scheduler"),
    "proxy": ("/CN=system:kube-proxy", "DNS:proxy"),
}


def certify(folder: Path, name: str, subject: str, names: str) -> None:
    """A key and a certificate of the cluster's own authority, which is made with the first."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "ca.crt").exists():
        own = "-keyout ca.key -out ca.crt -days 30 -subj /CN=cluster-of-a-test"
        _openssl(folder, f"req -x509 -newkey rsa:2048 -nodes {own}")
        _openssl(folder, "genrsa -out accounts.key 2048")
    if (folder / f"{name}.crt").exists():
        return
    (folder / f"{name}.ext").write_text(f"subjectAltName={names}\nextendedKeyUsage=serverAuth,clientAuth\n")
    _openssl(folder, f"req -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.csr -subj {subject}")
    signed = f"-CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -extfile {name}.ext"
    _openssl(folder, f"x509 -req -in {name}.csr -out {name}.crt {signed}")


def config(folder: Path, name: str) -> Path:
    """How one speaks to the API server, as kubectl reads it."""
    path = folder / f"{name}.conf"
    path.write_text(
        f"""apiVersion: v1
kind: Config
current-context: here
contexts: [{{name: here, context: {{cluster: here, user: me}}}}]
clusters: [{{name: here, cluster: {{server: "https://127.0.0.1:6443", certificate-authority: {folder}/ca.crt}}}}]
users: [{{name: me, user: {{client-certificate: {folder}/{name}.crt, client-key: {folder}/{name}.key}}}}]
"""
    )
    return path


def api_server(folder: Path) -> list[str]:
    """Its flags."""
    return [
        "--etcd-servers=http://127.0.0.1:2379",
        f"--advertise-address={IP}",
        "--secure-port=6443",
        f"--tls-cert-file={folder}/apiserver.crt",
        f"--tls-private-key-file={folder}/apiserver.key",
        f"--client-ca-file={folder}/ca.crt",
        f"--service-account-key-file={folder}/accounts.key",
        f"--service-account-signing-key-file={folder}/accounts.key",
        f"--service-account-issuer={ISSUER}",
        f"--service-cluster-ip-range={SERVICES}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--kubelet-preferred-address-types=InternalIP",
        f"--kubelet-client-certificate={folder}/admin.crt",
        f"--kubelet-client-key={folder}/admin.key",
    ]


def controllers(folder: Path) -> list[str]:
    """Those of the controller manager."""
    own = folder / "controllers.conf"
    return [
        *(f"--{what}={own}" for what in ("kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig")),
        f"--root-ca-file={folder}/ca.crt",
        f"--service-account-private-key-file={folder}/accounts.key",
        "--use-service-account-credentials",
        "--leader-elect=false",
        "--allocate-node-cidrs",
        f"--cluster-cidr={PODS}",
        f"--service-cluster-ip-range={SERVICES}",
    ]


def scheduler(folder: Path) -> list[str]:
    """Those of the scheduler."""
    own = folder / "scheduler.conf"
    whats = ("kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig")
    return [*(f"--{what}={own}" for what in whats), "--leader-elect=false"]


def _openssl(folder: Path, words: str) -> None:
    subprocess.run(["openssl", *words.split()], cwd=folder, check=True, capture_output=True)
