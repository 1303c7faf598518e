"""`--dry-run`: what an order would bring about, in sentences for people, as data for programs."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from cli.cohort import view
from cli.speak.language import word
from cli.speak.output import print_json, say
from cli.speak.sentences import counted, day, sentence
from programs.zones import zone_name

if TYPE_CHECKING:
    from livinglab.program.v1 import cohort_pb2

DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Only tell what it would bring about: what moves, who is written to.")
]


def show(preview: "cohort_pb2.OrderPreview", as_json: bool) -> None:
    """Nothing was done; this would be."""
    if as_json:
        print_json({"dry_run": True, **as_dict(preview)})
        return
    say(sentence("would"))
    for move in preview.moves:
        about = sentence(_kind(move) or "opens", phase=move.phase, session=move.session)
        times = {"before": _time(move, move.before_time), "after": _time(move, move.after_time)}
        say(sentence("would_move", what=about, **times))
    if not preview.moves:
        say(sentence("no_day_moves"))
    for letters in preview.letters:
        phase = f" ({letters.phase})" if letters.phase else ""
        people = counted(letters.people, "one_person", "people")
        whose = counted(letters.participants, "one_participant", "participants")
        say(sentence("letter", letter=word(letters.template), phase=phase, people=people, participants=whose))
    if not preview.letters:
        say(sentence("nobody_written"))
    for note in preview.notes:
        say(sentence("note", note=note))


def as_dict(preview: "cohort_pb2.OrderPreview") -> dict[str, Any]:
    """The same as programs read it."""
    return {
        "moves": [
            {
                "phase": move.phase,
                "session": move.session,
                "what": _kind(move),
                "before": view.iso(move.before_time),
                "after": view.iso(move.after_time),
                "time_zone": move.time_zone,
            }
            for move in preview.moves
        ],
        "letters": [
            {"template": one.template, "phase": one.phase, "participants": one.participants, "people": one.people}
            for one in preview.letters
        ],
        "notes": list(preview.notes),
    }


def _kind(move: "cohort_pb2.OrderPreview.Move") -> str:
    from livinglab.program.v1 import cohort_pb2

    words = {
        cohort_pb2.MOVE_KIND_OPENING: "opens",
        cohort_pb2.MOVE_KIND_DEADLINE: "closes",
        cohort_pb2.MOVE_KIND_SESSION: "session",
    }
    return words.get(move.kind, "")


def _time(move: "cohort_pb2.OrderPreview.Move", stamp: Any) -> str:
    """In the zone of the cohort, or of the session's place; a deadline is the end of a day."""
    from livinglab.program.v1 import cohort_pb2

    local: datetime = stamp.ToDatetime(tzinfo=UTC).astimezone(ZoneInfo(move.time_zone or "UTC"))
    if move.kind == cohort_pb2.MOVE_KIND_DEADLINE and (local.hour, local.minute, local.second) == (0, 0, 0):
        return f"{day(local - timedelta(days=1))} 24:00"
    return f"{day(local)} {local:%H:%M} {zone_name(local)}"
