"""`livinglab cohort readmit`, `enrol`, `replace`, `split`, `resolve`: orders about participants, each with a reason."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.cohort import preview, view
from cli.cohort.preview import DryRun
from cli.cohort.steering import RequestId, order, send
from cli.cohort.view import CohortId, Reason
from cli.speak.codes import as_code
from cli.speak.output import AsJson, fail, note, print_json, say

if TYPE_CHECKING:
    from livinglab.program.v1 import cohort_pb2, definition_pb2

Institution = Annotated[str, typer.Argument(metavar="INSTITUTION", parser=as_code, help="The code of a participant.")]
_PERSON = "role:name:email, or role:name:email:language"


def readmit(
    cohort_id: CohortId,
    institution: Institution,
    reason: Reason,
    request_id: RequestId = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Take a participant in again that failed or withdrew; it is excused of what it missed."""
    said = f"{institution} is in again"
    _order("ReadmitParticipant", cohort_id, institution, reason, request_id, as_json, said, validate_only=dry_run)


def enrol(
    cohort_id: CohortId,
    reason: Reason,
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="A roster, CSV or YAML.")] = None,
    institution: Annotated[
        str, typer.Option("--institution", metavar="CODE", parser=as_code, help="The code of a region.")
    ] = "",
    person: Annotated[list[str] | None, typer.Option("--person", help=_PERSON)] = None,
    request_id: RequestId = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Take participants in late: those of a roster, or one with its people."""
    from cli.speak import connection

    if (file is None) == (not institution):
        raise typer.BadParameter("give a FILE, or --institution with a --person each")
    late = _read(file) if file else [_participant(institution, person or [])]
    first = request_id or connection.new_request_id()

    async def call() -> Any:
        answer = None
        for participant in late:
            # Each is an order of its own; the whole file can be sent again.
            name = f"{first}:{participant.institution}"
            about = {"cohort_id": cohort_id, "participant": participant, "reason": reason, "validate_only": dry_run}
            answer = await send("EnrolParticipant", name, **about)
            if dry_run:
                say(f"{participant.institution}:") if not as_json else None
                preview.show(answer.preview, as_json)
        return answer

    cohort = connection.run(call()).cohort
    if dry_run:
        return
    if as_json:
        print_json({"enrolled": [p.institution for p in late], "cohort": view.as_dict(cohort)})
        return
    say(f"in {cohort_id} now: {', '.join(p.institution for p in late)}")
    view.show(cohort, as_json=False)


def replace(
    cohort_id: CohortId,
    institution: Institution,
    person: Annotated[str, typer.Option("--person", help=_PERSON)],
    reason: Reason,
    email: Annotated[str, typer.Option("--email", help="The address of who leaves, where several have the role.")] = "",
    request_id: RequestId = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Have somebody else act for a participant in a role."""
    new = _person(person)
    about = {"person": new, "email": email, "validate_only": dry_run}
    said = f"{new.name} acts for {institution}"
    _order("ReplacePerson", cohort_id, institution, reason, request_id, as_json, said, **about)


def split(
    cohort_id: CohortId,
    new_id: Annotated[str, typer.Argument(metavar="NEW-ID", help="The id of the new cohort.")],
    institutions: Annotated[
        list[str], typer.Argument(metavar="INSTITUTION...", parser=as_code, help="Who goes on in it.")
    ],
    title: Annotated[str, typer.Option("--title", help="The title of the new cohort.")],
    reason: Reason,
    request_id: RequestId = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Have participants go on in a cohort of their own, with what they have done and the same dates."""
    fields = {"cohort_id": cohort_id, "new_cohort_id": new_id, "title": title, "institutions": institutions}
    said = f"{len(institutions)} went on in {new_id}"
    order("SplitCohort", request_id, as_json, said, reason=reason, validate_only=dry_run, **fields)


def resolve(
    cohort_id: CohortId,
    reason: Reason,
    institution: Annotated[str, typer.Argument(metavar="[INSTITUTION]", parser=as_code, help="Of a participant.")] = "",
    retry: Annotated[bool, typer.Option("--retry/--dismiss", help="Ask again what was refused, or let it be.")] = True,
    request_id: RequestId = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Deal with what another service refused for good: of one participant, or everything of the cohort."""
    said = "asked again" if retry else "left as it is"
    if institution:
        about = {"retry": retry, "validate_only": dry_run}
        _order("ResolveProblems", cohort_id, institution, reason, request_id, as_json, said, **about)
        return
    from cli.speak import connection

    if dry_run:
        _would_resolve(cohort_id, as_json)
        return
    whose, answer = connection.run(_resolve_all(cohort_id, reason, retry, request_id or connection.new_request_id()))
    if as_json:
        print_json({"resolved": whose, "cohort": view.as_dict(answer.cohort)})
        return
    say(f"{said}: {', '.join(name or cohort_id for name in whose)}")
    view.show(answer.cohort, as_json=False)


def _would_resolve(cohort_id: str, as_json: bool) -> None:
    """Whose problems would be dealt with; nothing is ordered."""
    from cli.speak import connection

    whose = connection.run(_troubled(cohort_id))
    if as_json:
        print_json({"would_resolve": whose})
    else:
        say(f"would be asked again: {', '.join(name or cohort_id for name in whose)}" if whose else "no problem")


async def cohort_and_participants(cohort_id: str) -> "tuple[cohort_pb2.Cohort, list[cohort_pb2.ParticipantProgress]]":
    """A cohort with every one of its participants."""
    from livinglab.program.v1 import service_pb2 as pb
    from livinglab.program.v1.service_pb2_grpc import ProgramServiceStub

    from cli.speak import connection

    async with connection.connected("program", ProgramServiceStub) as program:
        stub: Any = program
        cohort = (await stub.GetCohort(pb.GetCohortRequest(cohort_id=cohort_id))).cohort
        request = pb.ListParticipantsRequest(cohort_id=cohort_id, page_size=1000)

        def page(token: str) -> Any:
            request.page_token = token
            return stub.ListParticipants(request)

        return cohort, await connection.every_page(page, lambda one: one.participants)


async def _troubled(cohort_id: str) -> list[str]:
    """Whose problems there are, the cohort's own as an empty name."""
    cohort, found = await cohort_and_participants(cohort_id)
    return [*([""] if cohort.problems else []), *(p.institution for p in found if p.problems)]


async def _resolve_all(cohort_id: str, reason: str, retry: bool, request_id: str) -> "tuple[list[str], Any]":
    """Whose problems were dealt with, the cohort's own as an empty name, each by an order of its own; and the last
    answer."""
    whose = await _troubled(cohort_id)
    answer: Any = None
    # With nothing to resolve the order says so itself.
    for name in whose or [""]:
        about = {"cohort_id": cohort_id, "institution": name, "reason": reason, "retry": retry}
        answer = await send("ResolveProblems", f"{request_id}:{name}" if name else request_id, **about)
    return whose, answer


def _order(
    method: str, cohort_id: str, institution: str, reason: str, request_id: str, as_json: bool, said: str, **about: Any
) -> None:
    fields = {"cohort_id": cohort_id, "institution": institution, "reason": reason, **about}
    order(method, request_id, as_json, said, **fields)


def _read(file: Path) -> "list[definition_pb2.Participant]":
    from programs.files import roster as roster_file

    try:
        roster = roster_file.parse(file.read_bytes(), file.name)
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{file}: cannot be read: {error}")
    if roster.faults:
        fail(*(f"{file.name}: line {fault.line}: {fault.field}: {fault.description}" for fault in roster.faults))
    for remark in roster.remarks:
        note(f"{file.name}: {remark}")
    if not roster.participants:
        fail(f"{file.name}: names no participant")
    return roster.participants


def _participant(institution: str, people: list[str]) -> "definition_pb2.Participant":
    from livinglab.program.v1 import definition_pb2

    return definition_pb2.Participant(institution=institution, people=[_person(text) for text in people])


def _person(text: str) -> "definition_pb2.Person":
    from livinglab.common.v1 import options_pb2
    from livinglab.program.v1 import definition_pb2

    parts = [part.strip() for part in text.split(":")]
    role = options_pb2.Role.items() if len(parts) in {3, 4} else []
    known = {label.removeprefix("ROLE_").lower(): number for label, number in role if number}
    if not known or parts[0] not in known:
        raise typer.BadParameter(f"{text!r} is not {_PERSON}")
    language = parts[3] if len(parts) == 4 else "id"
    return definition_pb2.Person(role=known[parts[0]], name=parts[1], email=parts[2], language=language)


VERBS: tuple[Callable[..., None], ...] = (readmit, enrol, replace, split, resolve)
