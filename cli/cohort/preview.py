"""`--dry-run`: what an order would bring about, in sentences for people, as data for programs."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from cli.cohort import view
from cli.speak.output import print_json, say

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
    say("nothing is done yet; the order would bring about:")
    for move in preview.moves:
        about = f"{move.phase}: session {move.session}" if move.session else f"{move.phase} {_kind(move)}"
        say(f"  {about}: {_time(move, move.before_time)} -> {_time(move, move.after_time)}")
    if not preview.moves:
        say("  no day moves")
    for letters in preview.letters:
        phase = f" ({letters.phase})" if letters.phase else ""
        people = "one person" if letters.people == 1 else f"{letters.people} people"
        say(f"  letter {letters.template}{phase}: {people} of {_participants(letters.participants)}")
    if not preview.letters:
        say("  nobody is written to")
    for note in preview.notes:
        say(f"  note: {note}")


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
        return f"{local - timedelta(days=1):%a %Y-%m-%d} 24:00"
    return f"{local:%a %Y-%m-%d %H:%M} {view.zone_word(local)}"


def _participants(count: int) -> str:
    return "one participant" if count == 1 else f"{count} participants"
