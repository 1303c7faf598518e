"""Writes what is made from queries and rules: `make monitoring`."""

import json
from pathlib import Path
from typing import Any

import yaml

from deploy.monitoring.asked import RULES
from deploy.monitoring.queries import DASHBOARDS, Panel

COMPONENTS = Path(__file__).parents[1] / "k8s/components"
_COLUMNS, _WIDTH, _HEIGHT = 2, 12, 8
_SOURCE = {"type": "prometheus", "uid": "${source}"}
_HEAD = "# Made from components/monitoring/rules.yaml by `make monitoring`.\n"


def dashboard(uid: str, title: str, panels: tuple[Panel, ...]) -> dict[str, Any]:
    """One dashboard as Grafana imports it; which Prometheus it asks is chosen on its page."""
    return {
        "uid": uid,
        "title": title,
        "tags": ["livinglab"],
        "schemaVersion": 39,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {
            "list": [{"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}]
        },
        "panels": [_panel(n, panel) for n, panel in enumerate(panels)],
    }


def _panel(n: int, panel: Panel) -> dict[str, Any]:
    return {
        "id": n + 1,
        "type": "timeseries",
        "title": panel.title,
        "datasource": _SOURCE,
        "gridPos": {"x": n % _COLUMNS * _WIDTH, "y": n // _COLUMNS * _HEIGHT, "w": _WIDTH, "h": _HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [
            {"refId": chr(ord("A") + i), "datasource": _SOURCE, "expr": query, "legendFormat": legend}
            for i, (query, legend) in enumerate(panel.queries)
        ],
    }


def written() -> dict[Path, str]:
    """Every file that is made here, with what stands in it."""
    files = {
        COMPONENTS / f"dashboards/{uid}.json": json.dumps(dashboard(uid, title, panels), indent=1) + "\n"
        for uid, (title, panels) in DASHBOARDS.items()
    }
    rule = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "livinglab", "namespace": "livinglab"},
        "spec": yaml.safe_load(RULES.read_text()),
    }
    files[COMPONENTS / "prometheus-operator/rules.yaml"] = _HEAD + yaml.safe_dump(rule, sort_keys=False, width=110)
    return files


if __name__ == "__main__":
    for path, text in written().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
