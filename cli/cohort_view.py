"""A cohort in words and numbers: as a table for people, as a dictionary for programs."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cli.output import print_json, say, table

if TYPE_CHECKING:
    from livinglab.program.v1 import cohort_pb2


def show(cohort: "cohort_pb2.Cohort", as_json: bool) -> None:
    """Write a cohort as it stands."""
    if as_json:
        print_json(as_dict(cohort))
        return
    rows = [
        (
            p.phase,
            word(p, "state"),
            local_time(p.open_time),
            local_time(p.close_time if p.HasField("close_time") else p.deadline_time)
            + (" (moved)" if p.extended else ""),
            str(p.invited),
            str(p.done),
            ", ".join(f"{duty} {count}" for duty, count in sorted(p.duties.items())),
        )
        for p in cohort.phases
    ]
    title = f"{cohort.id} ({kind(cohort)}): {word(cohort, 'state')}, {counts(cohort)}"
    columns = ["phase", "state", "opens", "closes", "invited", "done", "duties"]
    table(columns, rows, title=title, right=["invited", "done"])
    for line in [cohort.note, cohort.reason, *cohort.problems]:
        if line:
            say(line)


def as_dict(cohort: "cohort_pb2.Cohort") -> dict[str, Any]:
    """A cohort as programs read it."""
    return {
        "id": cohort.id,
        "title": cohort.title,
        "definition": cohort.definition_id,
        "version": cohort.definition_version,
        "rehearsal": cohort.rehearsal,
        "state": word(cohort, "state"),
        "reason": cohort.reason,
        "participants": cohort.participants,
        "active": cohort.active,
        "graduated": cohort.graduated,
        "withdrawn": cohort.withdrawn,
        "failed": cohort.failed,
        "launched": _iso(cohort.launch_time),
        "ended": _iso(cohort.end_time) if cohort.HasField("end_time") else None,
        "phases": [
            {
                "phase": p.phase,
                "title": p.title,
                "state": word(p, "state"),
                "opens": _iso(p.open_time),
                "deadline": _iso(p.deadline_time),
                "closed": _iso(p.close_time) if p.HasField("close_time") else None,
                "invited": p.invited,
                "done": p.done,
                "extended": p.extended,
                "duties": dict(sorted(p.duties.items())),
            }
            for p in cohort.phases
        ],
        "problems": list(cohort.problems),
        "note": cohort.note,
    }


def word(message: Any, field: str) -> str:
    """running, open, graduated: an enum value without its prefix."""
    described = message.DESCRIPTOR.fields_by_name[field].enum_type
    name: str = described.values_by_number[getattr(message, field)].name
    return name.rpartition("_STATE_")[2].lower()


def kind(cohort: "cohort_pb2.Cohort") -> str:
    """rehearsal or real."""
    return "rehearsal" if cohort.rehearsal else "real"


def counts(cohort: "cohort_pb2.Cohort") -> str:
    """How many participants are where."""
    parts = [("active", cohort.active), ("graduated", cohort.graduated)]
    parts += [("withdrawn", cohort.withdrawn), ("failed", cohort.failed)]
    told = ", ".join(f"{count} {word}" for word, count in parts if count)
    return f"{cohort.participants} participants: {told}"


def _iso(stamp: Any) -> str:
    moment: datetime = stamp.ToDatetime(tzinfo=UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def local_time(stamp: Any) -> str:
    """A time as people here read it."""
    if not stamp.seconds:
        return ""
    moment: datetime = stamp.ToDatetime(tzinfo=UTC).astimezone()
    return moment.strftime("%Y-%m-%d %H:%M:%S")
