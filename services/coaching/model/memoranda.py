"""Agreements between institutions: drafted, signed by every party, in force until their last day. Pure."""

from collections.abc import Container, Iterator
from datetime import date, datetime, timedelta
from typing import Any

from livinglab.coaching.v1 import memorandum_events_pb2 as events
from livinglab.coaching.v1 import memorandum_pb2 as pb
from livinglab.coaching.v1 import memorandum_service_pb2 as rpc
from livinglab.common.v1.meta_pb2 import Meta

from chassis.errors import Violation, invalid, not_found, precondition
from services.coaching.model.versions import advance, require_current

# So many days before its last one its parties are told.
REMIND_DAYS = 60
_DRAFT, _IN_FORCE = pb.MEMORANDUM_STATE_DRAFT, pb.MEMORANDUM_STATE_IN_FORCE


def faults(request: rpc.SaveMemorandumRequest, known: Container[str], today: date) -> Iterator[Violation]:
    """What is wrong with a draft; the days of a rehearsal are not the calendar's."""
    if len(request.parties) < 2:
        yield Violation("parties", "are two at least")
    seen: set[str] = set()
    for n, party in enumerate(request.parties):
        place = f"parties[{n}]"
        if bool(party.institution) == bool(party.name):
            yield Violation(place, "is named by its code or, where it is in no directory, by its name")
            continue
        if party.institution and party.institution not in known:
            yield Violation(f"{place}.institution", f"{party.institution} is not a known institution, or not known yet")
        if called(party) in seen:
            yield Violation(place, f"{called(party)} is named twice")
        seen.add(called(party))
    if request.parties and not request.parties[0].institution:
        yield Violation("parties[0].institution", "is required: an institution of the directory drafts it")
    if not request.rehearsal and request.end_date < today.isoformat():
        yield Violation("end_date", f"{request.end_date} is over")


def called(party: pb.Party) -> str:
    """Its code, else its name."""
    return party.institution or party.name


def saved(
    request: rpc.SaveMemorandumRequest, new_id: str, known: pb.Memorandum | None
) -> tuple[pb.Memorandum, events.MemorandumSaved]:
    """A new draft, or another content of one that nobody has signed."""
    if known is not None:
        require_current(known, request.etag, "agreement")
        if known.state != _DRAFT or any(party.signed_by for party in known.parties):
            raise precondition("SIGNED", f"agreement {known.id} is signed: draft another one")
        if known.rehearsal != request.rehearsal:
            raise precondition("REALM", f"agreement {known.id} belongs to another realm")
    found = pb.Memorandum(
        id=known.id if known else new_id,
        title=request.title,
        scope=request.scope,
        parties=[_unsigned(party) for party in request.parties],
        state=_DRAFT,
        end_date=request.end_date,
        cohort_id=request.cohort_id,
        visit_id=request.visit_id,
        rehearsal=request.rehearsal,
        etag=known.etag if known else "0",
    )
    advance(found)
    return found, events.MemorandumSaved(**_about(found), title=found.title, parties=len(found.parties))


def sign(found: pb.Memorandum, party_name: str, who: str, now: datetime) -> events.MemorandumSigned | None:
    """Signs for one party; no fact where it has signed."""
    party = next((one for one in found.parties if called(one) == party_name), None)
    if party is None:
        raise not_found("party", f"{party_name} of agreement {found.id}")
    if party.signed_by:
        return None
    if found.state != _DRAFT:
        raise precondition("NOT_A_DRAFT", f"agreement {found.id} is {_word(found)}")
    party.signed_by = who
    party.sign_time.FromDatetime(now)
    signed = sum(bool(one.signed_by) for one in found.parties)
    if signed == len(found.parties):
        found.state = _IN_FORCE
        found.force_time.FromDatetime(now)
    advance(found)
    return events.MemorandumSigned(**_about(found), party=party_name, signed=signed, parties=len(found.parties))


def end(found: pb.Memorandum, reason: str) -> events.MemorandumOver:
    """Before its last day."""
    if found.state != _IN_FORCE:
        raise precondition("NOT_IN_FORCE", f"agreement {found.id} is {_word(found)}")
    found.state, found.end_reason = pb.MEMORANDUM_STATE_ENDED, reason
    advance(found)
    return events.MemorandumOver(**_about(found), title=found.title, reason=reason)


def due(found: pb.Memorandum, now: datetime) -> events.MemorandumOver | events.MemorandumEnding | None:
    """What the day asks for, by the clock of its first party: it expires after its last day, and its parties are told
    once before. Nothing in a rehearsal."""
    if found.rehearsal or found.state != _IN_FORCE:
        return None
    last, today = date.fromisoformat(found.end_date), now.date()
    if today > last:
        found.state = pb.MEMORANDUM_STATE_EXPIRED
        advance(found)
        return events.MemorandumOver(**_about(found), title=found.title)
    if found.HasField("remind_time") or today < last - timedelta(days=REMIND_DAYS):
        return None
    found.remind_time.FromDatetime(now)
    advance(found)
    return events.MemorandumEnding(**_about(found), title=found.title, end_date=found.end_date)


def require_sound(request: rpc.SaveMemorandumRequest, known: Container[str], today: date) -> None:
    """INVALID_ARGUMENT naming every fault."""
    if found := list(faults(request, known, today)):
        raise invalid(found)


def _unsigned(party: pb.Party) -> pb.Party:
    return pb.Party(institution=party.institution, name=party.name, signatory=party.signatory, position=party.position)


def _word(found: pb.Memorandum) -> str:
    return pb.MemorandumState.Name(found.state).removeprefix("MEMORANDUM_STATE_").lower().replace("_", " ")


def _about(found: pb.Memorandum) -> dict[str, Any]:
    meta = Meta(
        aggregate_id=f"memorandum:{found.id}",
        version=int(found.etag),
        cohort_id=found.cohort_id,
        rehearsal=found.rehearsal,
    )
    partner = next((party.institution for party in found.parties[1:] if party.institution), "")
    return {
        "meta": meta,
        "institution": found.parties[0].institution,
        "partner": partner,
        "memorandum_id": found.id,
    }
