"""Who may reach whom in a cluster is what the processes do, and no more."""

import re
from pathlib import Path
from typing import Any

import yaml

from stack.fleet import MEMBERS
from tests.contract.test_manifests import ROOT, of_kind, processes

BUILD = "overlays/production"
# What a process says where it is put together, and the port that it needs for it.
SAYS = {
    r"process\.database\(": 27017,
    r"process\.relay\(|process\.consume\(|process\.nats\(": 4222,
    r"chassis\.temporal\.client": 7233,
    r"process\.(?:anonymous_)?channel": 50051,
    r"PostOffice\(": 587,
}
EVERYBODY = {53, 4317}


def wiring(module: str) -> str:
    path = ROOT / module.replace(".", "/")
    return (path / "__main__.py" if path.is_dir() else path.with_suffix(".py")).read_text()


def selects(policy: dict[str, Any], labels: dict[str, str]) -> bool:
    selector = policy["spec"]["podSelector"]
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    for one in selector.get("matchExpressions", ()):
        assert one["operator"] in {"In", "NotIn"}
        if (labels.get(one["key"]) in one["values"]) != (one["operator"] == "In"):
            return False
    return True


def opened(labels: dict[str, str], way: str) -> set[int]:
    """Ports that policies open for such a pod: "egress" or "ingress"."""
    policies = [one for one in of_kind(BUILD, "NetworkPolicy").values() if selects(one, labels)]
    return {port["port"] for one in policies for rule in one["spec"].get(way, ()) for port in rule["ports"]}


def labels(name: str) -> dict[str, str]:
    found: dict[str, str] = processes(BUILD)[name]["spec"]["template"]["metadata"]["labels"]
    return found


def test_every_process_is_closed_both_ways() -> None:
    for name in MEMBERS:
        closing = [one for one in of_kind(BUILD, "NetworkPolicy").values() if selects(one, labels(name))]
        shut = [one["spec"]["policyTypes"] for one in closing if not {"ingress", "egress"} & one["spec"].keys()]
        assert shut == [["Ingress", "Egress"]]


def test_a_process_reaches_what_it_is_put_together_with_and_nothing_else() -> None:
    for name, module in MEMBERS.items():
        text = wiring(module)
        needed = {port for says, port in SAYS.items() if re.search(says, text)}
        mail, issuer = ({25, 465} if 587 in needed else set()), (set() if name == "program-worker" else {443})
        assert opened(labels(name), "egress") == needed | mail | issuer | EVERYBODY, name


def test_what_only_prepares_reaches_the_servers_and_takes_no_call() -> None:
    job = {"app.kubernetes.io/name": "prepare", "app.kubernetes.io/part-of": "livinglab-prepare"}
    assert opened(job, "egress") == {27017, 4222, 7233} | EVERYBODY
    assert opened(job, "ingress") == set()


def test_nobody_calls_the_worker_and_only_the_console_has_pages() -> None:
    taken = {name: opened(labels(name), "ingress") for name in MEMBERS}
    assert taken.pop("program-worker") == {9464}
    assert taken.pop("console") == {9464, 50051, 8080}
    assert set(map(frozenset, taken.values())) == {frozenset({9464, 50051})}


def test_the_earlier_build_of_the_worker_reaches_what_the_worker_does() -> None:
    earlier = labels("program-worker") | {"app.kubernetes.io/name": "program-worker-earlier"}
    for way in ("egress", "ingress"):
        assert opened(earlier, way) == opened(labels("program-worker"), way)


def test_a_route_leads_to_a_process_that_listens_there() -> None:
    folder = ROOT / "deploy/k8s/components/gateway"
    routes = [yaml.safe_load((folder / f"{name}.yaml").read_text()) for name in ("console", "calls")]
    rules = [rule for route in routes for rule in route["spec"]["rules"]]
    protos = Path(ROOT / "protos/livinglab").rglob("*.proto")
    known = {path.parts[-3] for path in protos if "service " in path.read_text()}
    services = of_kind("base", "Service")
    led = set()
    for rule in rules:
        [backend] = rule["backendRefs"]
        assert backend["port"] in {port["port"] for port in services[backend["name"]]["spec"]["ports"]}
        led.add(backend["name"])
        for match in rule.get("matches", ()):
            wanted = match["method"]["service"]
            [package] = [name for name in known if re.fullmatch(wanted, f"livinglab.{name}.v1.AnyService")]
            assert package == backend["name"]
    assert led == MEMBERS.keys() - {"program-worker"}
