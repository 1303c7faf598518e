"""Rules of the directory: what an institution must say of itself, what the rows of one file come to. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from livinglab.common.v1.meta_pb2 import Meta
from livinglab.program.v1 import directory_events_pb2
from livinglab.program.v1 import directory_service_pb2 as pb

from chassis.errors import Kind, Refused, not_found, precondition
from directory import LONGEST_CODE, Institution, codes, is_code, official_regions

MOST_ROWS = 20_000
# Every process holds all of them.
MOST_INSTITUTIONS = 50_000
# As a spreadsheet clips 32.10; files are read as if it were that.
_CLIPPED = re.compile(r"[0-9]{2}\.[0-9]")
_LONGEST_KIND = 32
_KIND = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@dataclass
class Judgement:
    """What the rows of a file come to: institutions that are new or changed, with their next version."""

    changed: list[Institution] = field(default_factory=list)
    unchanged: int = 0
    rejected: list[pb.RejectedInstitution] = field(default_factory=list)


def require_count(rows: int, registered: int = 0) -> None:
    """RESOURCE_EXHAUSTED over the limits of one file and of the directory."""
    if rows > MOST_ROWS:
        raise Refused(Kind.RESOURCE_EXHAUSTED, "FILE_TOO_LARGE", f"a file has at most {MOST_ROWS} rows: split it")
    if registered > MOST_INSTITUTIONS:
        message = f"the directory holds at most {MOST_INSTITUTIONS} institutions beside the official regions"
        raise Refused(Kind.RESOURCE_EXHAUSTED, "DIRECTORY_FULL", message)


def judged(rows: Sequence[pb.InstitutionRow], registered: Mapping[str, Institution]) -> Judgement:
    """Every row against the official list, what is registered, and the others of the file. Each bad one is named once,
    with all that is wrong with it."""
    found = Judgement()
    versions = {code: one.version for code, one in registered.items()}
    registered = {code: one for code, one in registered.items() if not one.withdrawn}
    given: dict[str, pb.InstitutionRow] = {}
    reasons: dict[int, list[str]] = {}
    for at, row in enumerate(rows):
        reasons[at] = list(_own_faults(row))
        if first := given.get(row.code):
            reasons[at].append(f"{row.code} was given before, in line {first.line}")
        elif row.code and not row.unreadable:
            given[row.code] = row
    circles = _circles(given, registered)
    for at, row in enumerate(rows):
        if not row.unreadable and row.parent and row.parent != row.code:
            reasons[at] += _parent_faults(row, given, registered, circles)
        if reasons[at]:
            found.rejected.append(pb.RejectedInstitution(line=row.line, reason="; ".join(reasons[at])))
            continue
        known = official_regions().get(row.code) or registered.get(row.code)
        if known and _content(known) == (row.name, row.kind, row.parent):
            found.unchanged += 1
        else:
            # Of one that was taken out the versions go on.
            version = versions.get(row.code, 0) + 1
            found.changed.append(Institution(row.code, row.name, row.kind, row.parent, version))
    found.rejected.sort(key=lambda rejected: rejected.line)
    return found


def fact(institution: Institution) -> directory_events_pb2.InstitutionRegistered:
    """That it is known so from now on."""
    return directory_events_pb2.InstitutionRegistered(
        meta=Meta(aggregate_id=institution.code, version=institution.version),
        code=institution.code,
        name=institution.name,
        kind=institution.kind,
        parent=institution.parent,
        withdrawn=institution.withdrawn,
    )


def withdrawn(code: str, reason: str, registered: Mapping[str, Institution]) -> Institution:
    """The version that takes it out; NOT_FOUND or FAILED_PRECONDITION where it cannot be."""
    if code in official_regions():
        raise precondition(
            "OFFICIAL_REGION", f"{code} {official_regions()[code].name} is an official region, and stays so"
        )
    found = registered.get(code)
    if found is None or found.withdrawn:
        raise not_found("institution", code)
    members = sorted(one.code for one in registered.values() if one.parent == code and not one.withdrawn)
    if members:
        shown = ", ".join(members[:5]) + (" ..." if len(members) > 5 else "")
        raise precondition("HAS_MEMBERS", f"{len(members)} institutions belong to {code}: {shown}")
    return replace(found, version=found.version + 1, withdrawn=reason)


def _own_faults(row: pb.InstitutionRow) -> Iterator[str]:
    """What is wrong with a row whatever else is known."""
    if row.unreadable:
        yield row.unreadable
        return
    if not is_code(row.code):
        yield (
            f"code {_short(row.code)} must start with a letter or digit and hold only those, - _ and single dots "
            f"within, at most {LONGEST_CODE} of them"
            if row.code
            else "has no code"
        )
    elif row.code in codes.succession():
        yield f"code {codes.told(row.code)}: take that one"
    elif _CLIPPED.fullmatch(row.code):
        yield f"code {row.code} is how a spreadsheet clips the code {row.code}0: take another one"
    if not row.name.strip():
        yield "has no name"
    elif row.name != row.name.strip() or not row.name.isprintable():
        yield f"name {_short(row.name)} must be one line of text without blanks around it"
    if not _KIND.fullmatch(row.kind) or len(row.kind) > _LONGEST_KIND:
        yield (
            f"kind {_short(row.kind)} must be a word such as country or city-agency: small letters, digits, dashes, "
            f"at most {_LONGEST_KIND} of them"
            if row.kind
            else "has no kind"
        )
    if row.parent and row.parent == row.code:
        yield "is its own parent"
    region = official_regions().get(row.code)
    if region and _content(region) != (row.name, row.kind, row.parent):
        within = f" of {region.parent}" if region.parent else ""
        yield f"{row.code} is an official region, {region.name} ({region.kind}{within}), and stays so"


def _parent_faults(
    row: pb.InstitutionRow,
    given: Mapping[str, pb.InstitutionRow],
    registered: Mapping[str, Institution],
    circles: set[str],
) -> Iterator[str]:
    if row.parent not in given and row.parent not in registered and row.parent not in official_regions():
        yield f"parent {_short(row.parent)} is neither an official region, nor registered, nor in this file"
    elif row.code in circles:
        yield f"belongs to itself, by its parent {row.parent}"


def _circles(given: Mapping[str, pb.InstitutionRow], registered: Mapping[str, Institution]) -> set[str]:
    """Codes that come back to themselves by their parents, once the file is taken."""
    found: set[str] = set()
    done: set[str] = set()
    for start in given:
        path: dict[str, None] = {}
        code = start
        while code and code not in done and code not in path:
            path[code] = None
            nearest = given.get(code) or registered.get(code)
            code = nearest.parent if nearest else ""
        if code in path:
            passed = list(path)
            found.update(passed[passed.index(code) :])
        done.update(path)
    return found


def _content(institution: Institution) -> tuple[str, str, str]:
    return institution.name, institution.kind, institution.parent


def _short(text: str) -> str:
    return repr(text[:60])
