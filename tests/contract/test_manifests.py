"""What deploy/k8s and the Dockerfile say is what the processes are and need."""

import ast
import importlib.util
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from chassis.config import Settings
from programs.names import SEARCH_ATTRIBUTES
from services.notify import delivery
from stack.fleet import MEMBERS

ROOT = Path(__file__).resolve().parents[2]
K8S = ROOT / "deploy" / "k8s"
BUILDS = ("base", "overlays/dev", "overlays/production")
DEFAULTS = Settings.model_construct()
PREFIX = "LIVINGLAB_"
OUR_PACKAGES = {"chassis", "cli", "directory", "instruments", "programs", "services", "stack"}


@cache
def objects(build: str) -> list[dict[str, Any]]:
    kubectl = Path(sys.executable).parent / "kubectl"
    built = subprocess.run([kubectl, "kustomize", K8S / build], check=True, capture_output=True, text=True)
    return list(yaml.safe_load_all(built.stdout))


def of_kind(build: str, kind: str) -> dict[str, dict[str, Any]]:
    return {found["metadata"]["name"]: found for found in objects(build) if found["kind"] == kind}


def processes(build: str) -> dict[str, dict[str, Any]]:
    return {
        name: found
        for name, found in of_kind(build, "Deployment").items()
        if found["metadata"]["labels"]["app.kubernetes.io/part-of"] == "livinglab"
    }


def pod(workload: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = workload["spec"]["template"]["spec"]
    return found


def container(workload: dict[str, Any]) -> dict[str, Any]:
    [found] = pod(workload)["containers"]
    return dict(found)


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


def variables(build: str) -> dict[str, str]:
    """What a build sets for our processes, by name."""
    found: dict[str, str] = {}
    for config in of_kind(build, "ConfigMap").values():
        found |= {key: value for key, value in config["data"].items() if key.startswith(PREFIX)}
    for process in processes(build).values():
        found |= {variable["name"]: variable["value"] for variable in container(process)["env"]}
    return found


@pytest.mark.parametrize("build", BUILDS)
def test_every_process_of_the_fleet_is_there_and_runs_a_module_that_exists(build: str) -> None:
    assert {name: container(found)["args"] for name, found in processes(build).items()} == {
        name: [module] for name, module in MEMBERS.items()
    }
    missing = []
    for module in MEMBERS.values():
        spec = importlib.util.find_spec(module)
        runs = spec and (not spec.submodule_search_locations or importlib.util.find_spec(f"{module}.__main__"))
        missing += [] if runs else [module]
    assert missing == []


@pytest.mark.parametrize("build", BUILDS)
def test_every_variable_is_one_that_a_process_reads(build: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = variables(build)
    assert given
    assert {name for name in given if name.removeprefix(PREFIX).lower() not in Settings.model_fields} == set()
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert Settings().token_file == Path(given["LIVINGLAB_TOKEN_FILE"])


def test_ports_and_probes_are_where_a_process_listens() -> None:
    grpc, metrics = port_of(DEFAULTS.listen), port_of(DEFAULTS.metrics_listen)
    services = of_kind("base", "Service")
    assert services.keys() == MEMBERS.keys()
    for name, process in processes("base").items():
        ports = {"grpc": grpc, "metrics": metrics}
        if name == "console":
            ports["http"] = port_of(DEFAULTS.http_listen)
        assert {port["name"]: port["containerPort"] for port in container(process)["ports"]} == ports
        assert {port["name"]: port["port"] for port in services[name]["spec"]["ports"]} == ports
        # Where other processes look for it.
        assert DEFAULTS.peer(name) == f"{name}:{grpc}"
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert container(process)[probe]["grpc"] == {"port": grpc}


def test_nothing_selects_the_pods_of_another_process() -> None:
    for kind in ("Deployment", "Service", "PodDisruptionBudget"):
        found = of_kind("base", kind)
        assert found.keys() == MEMBERS.keys()
        for name, thing in found.items():
            selector = thing["spec"]["selector"]
            labels = selector if kind == "Service" else selector["matchLabels"]
            assert labels["app.kubernetes.io/name"] == name
    for name, process in processes("base").items():
        assert process["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/name"] == name


def test_each_process_has_an_account_and_credentials_of_its_own() -> None:
    assert of_kind("base", "ServiceAccount").keys() == MEMBERS.keys()
    for name, process in processes("base").items():
        assert pod(process)["serviceAccountName"] == name
        [secret] = [source["secretRef"] for source in container(process)["envFrom"] if "secretRef" in source]
        assert secret == {"name": name, "optional": True}
    for process in processes("overlays/production").values():
        assert container(process)["envFrom"][1]["secretRef"]["optional"] is False


def test_a_process_is_given_the_token_that_it_shows_to_others() -> None:
    subjects = variables("base")["LIVINGLAB_WORKLOAD_SUBJECTS"]
    for name, process in processes("base").items():
        [volume] = [volume for volume in pod(process)["volumes"] if volume["name"] == "token"]
        [source] = volume["projected"]["sources"]
        token = source["serviceAccountToken"]
        assert token["audience"] == variables("base")["LIVINGLAB_TOKEN_AUDIENCE"] == DEFAULTS.token_audience
        [mount] = [mount for mount in container(process)["volumeMounts"] if mount["name"] == "token"]
        assert variables("base")["LIVINGLAB_TOKEN_FILE"] == f"{mount['mountPath']}/{token['path']}"
        account = f"system:serviceaccount:{process['metadata']['namespace']}:{name}"
        assert account.startswith(subjects)
        assert pod(process)["automountServiceAccountToken"] is False


@pytest.mark.parametrize(
    ("build", "name"),
    [
        ("overlays/production", "program-worker"),
        ("components/earlier-worker-build/worker", "program-worker-earlier"),
    ],
)
def test_a_worker_is_of_the_build_that_its_image_is(build: str, name: str) -> None:
    worker = of_kind(build, "Deployment")[name]
    [build_id] = [v["value"] for v in container(worker)["env"] if v["name"] == "LIVINGLAB_BUILD_ID"]
    assert container(worker)["image"].endswith(f":{build_id}")
    assert container(worker)["args"] == [MEMBERS["program-worker"]]
    assert worker["spec"]["selector"]["matchLabels"] == {"app.kubernetes.io/name": name}


def test_a_process_has_the_time_that_it_takes_to_end() -> None:
    for process in processes("base").values():
        before = container(process)["lifecycle"]["preStop"]["sleep"]["seconds"]
        takes = before + DEFAULTS.grace_seconds + delivery.FINISH_SECONDS
        assert pod(process)["terminationGracePeriodSeconds"] > takes


def test_the_development_servers_are_where_a_process_looks_for_them() -> None:
    services = of_kind("overlays/dev", "Service")
    addresses = [
        re.sub(r"^\w+://|/.*$", "", address)
        for address in (
            DEFAULTS.mongo_uri.get_secret_value(),
            DEFAULTS.nats_url.get_secret_value(),
            DEFAULTS.temporal_address,
            DEFAULTS.smtp_address,
        )
    ]
    for address in addresses:
        name, _, port = address.partition(":")
        [target] = [p["targetPort"] for p in services[name]["spec"]["ports"] if p["port"] == int(port)]
        kind = "Deployment" if name in of_kind("overlays/dev", "Deployment") else "StatefulSet"
        [served] = [p for p in container(of_kind("overlays/dev", kind)[name])["ports"] if p["name"] == target]
        # A headless service translates no port.
        assert served["containerPort"] == int(port) or services[name]["spec"].get("clusterIP") != "None"


def test_the_development_temporal_knows_our_search_attributes() -> None:
    args = container(of_kind("overlays/dev", "StatefulSet")["temporal"])["args"]
    given = [args[i + 1] for i, arg in enumerate(args) if arg == "--search-attribute"]
    assert given == [f"{name}=Keyword" for name in SEARCH_ATTRIBUTES]


@pytest.mark.parametrize("build", BUILDS)
def test_every_pod_keeps_to_the_restricted_profile(build: str) -> None:
    workloads = [found for found in objects(build) if found["kind"] in {"Deployment", "StatefulSet"}]
    for workload in workloads:
        assert pod(workload)["securityContext"]["runAsNonRoot"] is True
        assert pod(workload)["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container(workload)["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        }


@pytest.mark.parametrize("build", BUILDS)
def test_no_image_names_a_registry_and_each_has_a_tag(build: str) -> None:
    images = [container(found)["image"] for found in objects(build) if found["kind"] in {"Deployment", "StatefulSet"}]
    assert [image for image in images if not re.fullmatch(r"[a-z]+(/[a-z]+)?:[\w.-]+", image)] == []


def test_every_component_says_what_it_does() -> None:
    components = [path for path in (K8S / "components").iterdir() if path.is_dir()]
    assert components
    assert [
        path.name for path in components if not (path / "README.md").read_text().startswith(f"# {path.name}\n")
    ] == []


def test_the_image_holds_every_package_that_a_process_imports() -> None:
    imported = set()
    for path in [*(ROOT / "services").rglob("*.py"), *(ROOT / "chassis").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                imported.add(node.module.partition(".")[0])
            elif isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
    dockerfile = (ROOT / "Dockerfile").read_text()
    copied = {source for line in re.findall(r"^COPY (?!--)(.+)$", dockerfile, re.M) for source in line.split()[:-1]}
    assert imported & OUR_PACKAGES == copied & OUR_PACKAGES
    let_through = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied == let_through
