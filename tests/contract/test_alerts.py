"""Rules, dashboards and the pages that alerts point to: they ask for figures that there are, and they fire."""

import importlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import typer.main
import yaml
from prometheus_client import REGISTRY

from cli.main import whole
from deploy.monitoring import asked as figures
from deploy.monitoring.__main__ import written
from stack.fleet import MEMBERS

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs/operations/alerts"
PROMTOOL = shutil.which("promtool", path=str(ROOT / ".livinglab/tools")) or shutil.which("promtool")
ALERTS = {rule["alert"]: rule for rule in figures.rules() if "alert" in rule}
RECORDED = {rule["record"] for rule in figures.rules() if "record" in rule}
TELLERS = (
    "chassis.telemetry",
    "services.notify.delivery",
    "services.notify.store.figures",
    "services.notify.webhooks.desk",
    "services.notify.webhooks.sending",
    "services.program.activities.refusals",
    "services.program.store.figures",
)


def test_every_query_rests_on_figures_of_ours_with_the_labels_that_they_carry() -> None:
    for module in TELLERS:
        importlib.import_module(module)
    told: dict[str, set[str]] = {}
    for collector, known in REGISTRY._collector_to_names.items():
        for name in known:
            told[name] = set(getattr(collector, "_labelnames", ()))
    missing = []
    for query in figures.queries():
        names, labels = figures.asked(query)
        ours = {name for name in names if name.startswith("livinglab_")}
        missing += [f"{name}, for {query}" for name in ours - told.keys()]
        if ours == names:
            carried = set().union(*(told.get(name, set()) for name in ours), figures.OF_THE_TARGET, {"le"})
            missing += [f"label {label}, for {query}" for label in labels - carried]
    assert missing == []


def test_what_is_recorded_is_used_and_what_is_used_is_recorded() -> None:
    used = {name for query in figures.queries() for name in figures.asked(query)[0] if ":" in name}
    assert used == RECORDED


def test_each_alert_has_a_page_that_says_what_to_look_at_and_what_mends_it() -> None:
    assert {path.stem for path in PAGES.glob("*.md")} == ALERTS.keys()
    for name, rule in ALERTS.items():
        assert rule["annotations"]["runbook"] == f"docs/operations/alerts/{name}.md"
        assert rule["annotations"]["summary"]
        headings = re.findall(r"^#+ (.*)$", (PAGES / f"{name}.md").read_text(), re.M)
        assert headings == [name, "Look", "Mend", "Done when"]


def test_every_command_on_a_page_of_operations_is_one() -> None:
    command = typer.main.get_command(whole())
    unknown = []
    for page in (ROOT / "docs/operations").rglob("*.md"):
        for line in re.findall(r"(?:`|^ {4})livinglab ((?:[a-z-]+ ?)+)", page.read_text(), re.M):
            word, *rest = line.split()
            if word not in command.commands:  # type: ignore[attr-defined]
                unknown.append(f"{page.name}: {line}")
                continue
            under = getattr(command.commands[word], "commands", None)  # type: ignore[attr-defined]
            if under and rest and rest[0] not in under:
                unknown.append(f"{page.name}: {line}")
    assert unknown == []


def test_every_option_in_a_runbook_is_one_and_every_workload_is_there() -> None:
    command, unknown = typer.main.get_command(whole()), []
    page = (ROOT / "docs/operations/runbooks.md").read_text()
    for line in re.findall(r"`livinglab ([^`]*)`", page):
        words = line.split()
        found = command
        while words and words[0] in getattr(found, "commands", {}):
            found = found.commands[words.pop(0)]  # type: ignore[attr-defined]
        options = {option for one in found.params for option in one.opts}
        unknown += [f"{line}: {word}" for word in words if word.startswith("--") and word not in options]
    workloads = set(re.findall(r"(?:deployment|statefulset)/([a-z-]+)", page))
    assert unknown == []
    assert workloads
    assert workloads <= MEMBERS.keys() | {"mongod", "nats", "temporal"}


def test_each_alert_is_tried_with_figures_that_bring_it() -> None:
    tests = yaml.safe_load((figures.RULES.parent / "rules_test.yaml").read_text())["tests"]
    tried = [one for test in tests for one in test.get("alert_rule_test", ())]
    assert {one["alertname"] for one in tried if one["exp_alerts"]} == ALERTS.keys()


@pytest.mark.skipif(PROMTOOL is None, reason="no promtool: `make promtool` takes it out of Debian's package prometheus")
def test_the_rules_say_what_they_should_of_figures_that_are_given() -> None:
    assert PROMTOOL
    for command in (["check", "rules", figures.RULES.name], ["test", "rules", "rules_test.yaml"]):
        ran = subprocess.run(
            [PROMTOOL, *command], cwd=figures.RULES.parent, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr


def test_what_is_made_from_rules_and_queries_is_as_they_are() -> None:
    for path, text in written().items():
        assert path.read_text() == text, f"{path.name} is old: make monitoring"
