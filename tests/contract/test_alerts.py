"""Alerts ask for figures that there are."""

import re
from pathlib import Path

import yaml
from prometheus_client import REGISTRY

from chassis import telemetry
from services.notify.webhooks import desk

RULES = Path(__file__).parents[2] / "deploy/k8s/components/monitoring/rules.yaml"


def test_every_alert_rests_on_figures_of_ours_and_says_what_to_do() -> None:
    assert telemetry.OUTBOX_OLDEST
    assert desk.DISABLED
    told = {family.name + ("_total" if family.type == "counter" else "") for family in REGISTRY.collect()}
    [group] = yaml.safe_load(RULES.read_text())["groups"]
    assert len(group["rules"]) >= 4
    for rule in group["rules"]:
        figures = set(re.findall(r"livinglab_\w+", rule["expr"]))
        assert figures
        assert figures <= told, rule["alert"]
        assert rule["annotations"]["summary"]
