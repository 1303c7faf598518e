"""`livinglab duties`: what an institution owes, and until when."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.speak.codes import as_code
from cli.speak.language import either, word
from cli.speak.output import AsJson, print_json, say, table
from cli.speak.sentences import sentence

if TYPE_CHECKING:
    from livinglab.program.v1 import duty_service_pb2 as pb


def duties(
    institution: Annotated[
        str, typer.Option("--institution", metavar="CODE", parser=as_code, help="Whose; yours, unless named.")
    ] = "",
    cohort: Annotated[str, typer.Option("--cohort", metavar="ID", help="In this cohort alone.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="What is done too.")] = False,
    as_json: AsJson = False,
) -> None:
    """What do I owe, and until when: the duties of your institution in every cohort it is in, by deadline."""
    from livinglab.program.v1 import duty_service_pb2 as pb
    from livinglab.program.v1.duty_service_pb2_grpc import DutyServiceStub

    from cli.speak import connection
    from cli.speak.known import name_of

    code = connection.own_institution(institution)
    request = pb.ListDutiesRequest(institution=code, cohort_id=cohort)
    found = list(connection.call("program", DutyServiceStub, "ListDuties", request).duties)
    if as_json:
        print_json([_as_dict(one) for one in found])
        return
    open_still = [one for one in found if one.state in {pb.OWED_STATE_DUE, pb.OWED_STATE_COMING}]
    shown = found if everything else open_still
    if not shown:
        say(sentence("all_done" if found else "no_cohort", name=name_of(code)))
        return
    rows = [_row(one) for one in shown]
    table(["until", "what", "phase", "state"], rows, title=name_of(code))
    for problem in dict.fromkeys(problem for one in found for problem in one.problems):
        say(f"{word('problem')}: {problem}")


def _row(one: "pb.OwedDuty") -> list[str]:
    what = either(one.title, one.title_en)
    optional = "" if one.required else sentence("optional")
    state = word(_state(one))
    if _state(one) == "coming":
        opens = one.open_time.ToDatetime(UTC).astimezone(_zone(one))
        state = f"{state}, {opens:%Y-%m-%d}"
    return [_last_day(one), what + optional, either(one.phase_title, one.phase_title_en), state]


def _last_day(one: "pb.OwedDuty") -> str:
    """A phase closes when its last day is over, in its own zone."""
    end = one.deadline_time.ToDatetime(UTC).astimezone(_zone(one))
    if (end.hour, end.minute) == (0, 0):
        return (end - timedelta(hours=1)).strftime("%Y-%m-%d")
    return end.strftime("%Y-%m-%d %H:%M")


def _state(one: "pb.OwedDuty") -> str:
    from livinglab.program.v1 import duty_service_pb2 as pb

    return pb.OwedState.Name(one.state).removeprefix("OWED_STATE_").lower()


def _zone(one: "pb.OwedDuty") -> Any:
    from zoneinfo import ZoneInfo

    return ZoneInfo(one.time_zone or "UTC")


def _as_dict(one: "pb.OwedDuty") -> dict[str, Any]:
    """A duty for programs; times with the offset of the cohort's zone."""

    def at(stamp: Any) -> str:
        moment: datetime = stamp.ToDatetime(UTC).astimezone(_zone(one))
        return moment.isoformat(timespec="seconds")

    return {
        "cohort": one.cohort_id,
        "cohort_title": one.cohort_title,
        "rehearsal": one.rehearsal,
        "phase": one.phase,
        "phase_title": one.phase_title,
        "duty": one.duty,
        "title": one.title,
        "title_en": one.title_en,
        "required": one.required,
        "state": _state(one),
        "opens": at(one.open_time),
        "deadline": at(one.deadline_time),
        "time_zone": one.time_zone,
        "problems": list(one.problems),
    }
