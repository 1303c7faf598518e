"""What is asked of Prometheus, by dashboard: titles and queries, nothing of how they look.

`app` is what the scraping calls the label app.kubernetes.io/name. Figures that every replica tells alike are read by
their greatest; what each replica counts by itself is summed."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Panel:
    """One picture: its unit is Grafana's word for it; each query has the legend beside it."""

    title: str
    unit: str
    queries: tuple[tuple[str, str], ...]


def _one(title: str, unit: str, query: str, legend: str) -> Panel:
    return Panel(title, unit, ((query, legend),))


CALLS = (
    _one("Calls a second", "reqps", "livinglab:rpc:rate5m", "{{service}}"),
    _one("Share of calls that fail for our reasons", "percentunit", "livinglab:rpc_failed:ratio5m", "{{service}}"),
    _one("Time to serve, p99", "s", "livinglab:rpc_seconds:p99_5m", "{{service}}"),
    _one("Answers by code", "reqps", "sum by (code) (rate(livinglab_rpc_total[5m]))", "{{code}}"),
    _one(
        "The ten methods that take most time",
        "s",
        "topk(10, sum by (method) (rate(livinglab_rpc_seconds_sum[5m])))",
        "{{method}}",
    ),
    _one("CPU by process", "none", "sum by (app) (rate(process_cpu_seconds_total[5m]))", "{{app}}"),
    _one("Memory by process", "bytes", "max by (app) (process_resident_memory_bytes)", "{{app}}"),
)
FACTS = (
    _one("Facts waiting in an outbox", "none", "max by (app) (livinglab_outbox_pending)", "{{app}}"),
    _one("Age of the oldest of them", "s", "max by (app) (livinglab_outbox_oldest_seconds)", "{{app}}"),
    _one("Facts published a second", "cps", "sum by (app) (rate(livinglab_events_published_total[5m]))", "{{app}}"),
    _one(
        "Facts handled, by what became of them",
        "cps",
        "sum by (outcome) (rate(livinglab_events_handled_total[5m]))",
        "{{outcome}}",
    ),
    _one("Consumers behind", "s", "livinglab:consumer_lag_seconds:max", "{{consumer}} on {{stream}}"),
    _one(
        "Facts that a consumer has not settled",
        "none",
        "max by (stream, consumer) (livinglab_consumer_lag_events)",
        "{{consumer}} on {{stream}}",
    ),
    _one(
        "Dead letters",
        "none",
        "max by (app, direction) (livinglab_dead_letters_waiting)",
        "{{app}} {{direction}}",
    ),
    _one(
        "Time of a reaction, p99",
        "s",
        "histogram_quantile(0.99, sum by (le, event) (rate(livinglab_reaction_seconds_bucket[5m])))",
        "{{event}}",
    ),
)
PROGRAM = (
    _one("Cohorts", "none", 'max by (state) (livinglab_cohorts{rehearsal="false"})', "{{state}}"),
    _one(
        "Participants of cohorts that run",
        "none",
        'max by (state) (livinglab_participants{rehearsal="false"})',
        "{{state}}",
    ),
    _one(
        "Participants behind",
        "none",
        'max(livinglab_participants_behind{rehearsal="false"})',
        "lack what a late phase requires",
    ),
    Panel(
        "Phases past their time",
        "none",
        (
            ('max(livinglab_gates_blocked{rehearsal="false"})', "kept open by their gate"),
            ('max(livinglab_phases_overdue{rehearsal="false"})', "moved by nobody"),
        ),
    ),
    _one("Letters that wait", "none", "max by (state) (livinglab_messages_waiting)", "{{state}}"),
    _one("Age of the oldest letter that is due", "s", "max(livinglab_messages_overdue_seconds)", "oldest"),
    _one(
        "Letters given up within a day",
        "none",
        'max(livinglab_messages_failed_last_day{rehearsal="false"})',
        "given up",
    ),
    _one(
        "Letters offered to the mail server",
        "cps",
        "sum by (outcome) (rate(livinglab_mails_total[5m]))",
        "{{outcome}}",
    ),
)
TEMPORAL = (
    _one(
        "Wait for a worker, p95",
        "s",
        "livinglab:workflow_task_wait_seconds:p95_5m",
        "workflow tasks",
    ),
    _one("Wait for an activity slot, p95", "s", "livinglab:activity_wait_seconds:p95_5m", "activities"),
    _one(
        "Time of an activity, p95",
        "s",
        "histogram_quantile(0.95, sum by (le, activity_type)"
        " (rate(temporal_activity_execution_latency_seconds_bucket[5m])))",
        "{{activity_type}}",
    ),
    _one(
        "Slots in use",
        "none",
        "sum by (worker_type) (temporal_worker_task_slots_used)",
        "{{worker_type}}",
    ),
    _one("Pollers", "none", "sum by (poller_type) (temporal_num_pollers)", "{{poller_type}}"),
    _one("Workflows kept in memory", "none", "sum by (app) (temporal_sticky_cache_size)", "{{app}}"),
    _one(
        "Calls to Temporal a second",
        "reqps",
        "sum by (app, operation) (rate(temporal_request_total[5m]))",
        "{{app}} {{operation}}",
    ),
    _one(
        "Activities that were refused",
        "cps",
        "sum by (activity, kind) (rate(livinglab_activity_refusals_total[5m]))",
        "{{activity}} {{kind}}",
    ),
)
# uid: (title, its panels)
DASHBOARDS = {
    "livinglab-calls": ("Living Lab: calls", CALLS),
    "livinglab-facts": ("Living Lab: facts", FACTS),
    "livinglab-program": ("Living Lab: cohorts and letters", PROGRAM),
    "livinglab-temporal": ("Living Lab: workflows", TEMPORAL),
}
