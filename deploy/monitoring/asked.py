"""What processes tell of themselves, and what rules and dashboards ask for."""

import re
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from deploy.monitoring.queries import DASHBOARDS

RULES = Path(__file__).parents[1] / "k8s/components/monitoring/rules.yaml"
# What the scraping adds to each figure.
OF_THE_TARGET = {"app"}
_NAME = re.compile(r"\b((?:livinglab|temporal|process|up)(?:[_:]\w+)*)\b(?:\{([^}]*)\})?")
_GROUPS = re.compile(r"\bby \(([^)]*)\)")


def rules() -> list[dict[str, Any]]:
    """Every rule, recording or alerting."""
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def queries() -> list[str]:
    """Every query of the rules and the dashboards."""
    shown = [query for _, panels in DASHBOARDS.values() for panel in panels for query, _ in panel.queries]
    return [rule["expr"] for rule in rules()] + shown


def asked(query: str) -> tuple[set[str], set[str]]:
    """Figures and labels that a query names."""
    figures, labels = set(), set()
    for group in _GROUPS.findall(query):
        labels |= {label.strip() for label in group.split(",")}
    for name, matchers in _NAME.findall(_GROUPS.sub("", query)):
        figures.add(name)
        labels |= set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))
    return figures, labels


def told(addresses: Iterable[str]) -> dict[str, set[str]]:
    """Every figure that is told at one of these addresses, with the labels that it carries there."""
    found: dict[str, set[str]] = {}
    for address in addresses:
        with urllib.request.urlopen(address, timeout=10) as answer:
            text = answer.read().decode()
        for family in text_string_to_metric_families(text):
            found.setdefault(family.name + ("_total" if family.type == "counter" else ""), set())
            for sample in family.samples:
                found.setdefault(sample.name, set()).update(sample.labels)
    return found
