"""The rules of good practices: kept, published, withdrawn, and whom they help. Decisions return facts."""

from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction

from livinglab.coaching.v1 import practice_events_pb2 as events_pb2
from livinglab.coaching.v1 import practice_pb2 as pb
from livinglab.coaching.v1 import practice_service_pb2 as rpc
from livinglab.common.v1.meta_pb2 import Meta

from chassis.errors import Refused, Violation, precondition
from instruments.rounding import written
from instruments.tree import Instrument, indicator_of
from services.coaching.model.pairing.coaches import require_realm
from services.coaching.model.versions import advance, require_current

# What a reader of the catalogue needs to copy it.
_NEEDED = {
    "summary": "is required: what it is and what it has changed",
    "kind": "is required: G2G, G2C, G2E or G2B",
    "levels": "name one indicator at least, with the level that it brings",
    "steps": "say how to copy it, in one step at least",
    "contact_name": "is required: whom to ask",
    "contact": "is required: where to ask",
}


def faults(
    request: rpc.SavePracticeRequest, institutions: Container[str], instrument: Instrument | None
) -> list[Violation]:
    """What the field rules cannot see; `instrument` is the newest version of the one that is named, if it is known."""
    found = []
    if request.institution not in institutions:
        found.append(
            Violation("institution", f"{request.institution} is not a known institution, or not known here yet")
        )
    if instrument is None:
        found.append(Violation("instrument", f"{request.instrument} is not an instrument that is known here"))
    else:
        found += _level_faults(request, instrument)
    found += [Violation(f"steps[{n}]", "says nothing") for n, step in enumerate(request.steps) if not step.strip()]
    return found


def _level_faults(request: rpc.SavePracticeRequest, instrument: Instrument) -> Iterator[Violation]:
    named = Counter(one.indicator for one in request.levels)
    for n, one in enumerate(request.levels):
        if indicator_of(one.indicator, instrument.leaves) not in instrument.leaves:
            yield Violation(f"levels[{n}].indicator", f"{one.indicator} is not an indicator of {request.instrument}")
        if named[one.indicator] > 1:
            yield Violation(f"levels[{n}].indicator", f"{one.indicator} is named {named[one.indicator]} times")
        if not instrument.minimum < Decimal(one.level) <= instrument.maximum:
            bounds = f"above {instrument.minimum}, up to {instrument.maximum}"
            yield Violation(f"levels[{n}].level", f"{one.level} is outside of the scale: {bounds}")
        elif instrument.steps and Decimal(one.level) not in instrument.steps:
            yield Violation(f"levels[{n}].level", f"{one.level} is not a value of the scale")


def saved(
    request: rpc.SavePracticeRequest, practice_id: str, known: pb.Practice | None
) -> tuple[pb.Practice, events_pb2.PracticePublished | None]:
    """The practice as it is from now on, and the fact where everybody sees the change."""
    practice = pb.Practice(
        id=practice_id,
        institution=request.institution,
        title=request.title,
        summary=request.summary,
        kind=request.kind,
        instrument=request.instrument,
        levels=request.levels,
        steps=request.steps,
        contact_name=request.contact_name,
        contact=request.contact,
        evidence=request.evidence,
        rehearsal=request.rehearsal,
        state=pb.PRACTICE_STATE_DRAFT,
        etag="1",
    )
    if known is None:
        return practice, None
    require_current(known, request.etag, "practice")
    if known.institution != request.institution:
        raise precondition("OTHER_INSTITUTION", f"practice {known.id} is one of {known.institution}")
    require_realm(known.rehearsal, request.rehearsal, f"practice {known.id}")
    if known.state == pb.PRACTICE_STATE_WITHDRAWN:
        raise _withdrawn(known)
    practice.state = known.state
    if known.HasField("publish_time"):
        practice.publish_time.CopyFrom(known.publish_time)
    practice.requested, practice.replicated = known.requested, known.replicated
    practice.etag = str(int(known.etag) + 1)
    if practice.state != pb.PRACTICE_STATE_PUBLISHED:
        return practice, None
    _require_complete(practice)
    return practice, _published_fact(practice)


def published(practice: pb.Practice) -> events_pb2.PracticePublished | None:
    """Into the catalogue; no fact where it is there."""
    if practice.state == pb.PRACTICE_STATE_WITHDRAWN:
        raise _withdrawn(practice)
    if practice.state == pb.PRACTICE_STATE_PUBLISHED:
        return None
    _require_complete(practice)
    practice.state = pb.PRACTICE_STATE_PUBLISHED
    practice.publish_time.GetCurrentTime()
    advance(practice)
    return _published_fact(practice)


def withdrawn(practice: pb.Practice, reason: str) -> events_pb2.PracticeWithdrawn | None:
    """Out of the catalogue; no fact where it was before, and the first reason stays."""
    if practice.state == pb.PRACTICE_STATE_WITHDRAWN:
        return None
    practice.state = pb.PRACTICE_STATE_WITHDRAWN
    practice.reason = reason
    advance(practice)
    return events_pb2.PracticeWithdrawn(
        meta=_meta(practice), institution=practice.institution, practice_id=practice.id, reason=reason
    )


def matches(
    instrument: Instrument, values: Mapping[str, Decimal], practices: Sequence[pb.Practice], size: int
) -> list[pb.PracticeMatch]:
    """Practices whose level is above one's own value, what is worth most in the index first; of the same worth the
    one that more have copied, then by id. What is awaited from somebody else cannot be copied."""
    offers: dict[str, list[tuple[pb.Practice, str]]] = {}
    for practice in practices:
        for one in practice.levels:
            offers.setdefault(one.indicator, []).append((practice, one.level))
    found = []
    for item in instrument.items(values):
        if item.indicator.awaited:
            continue
        for name in dict.fromkeys((item.code, item.indicator.number)):
            for practice, level in offers.get(name, ()):
                more = Decimal(level) - item.value
                if more > 0:
                    found.append((item.share * Fraction(more), item, practice, level))
    found.sort(key=lambda row: (-row[0], -row[2].replicated, row[2].id, row[1].code))
    return [
        pb.PracticeMatch(
            indicator=item.code,
            indicator_name=item.indicator.name,
            value=str(item.value),
            level=level,
            gain=written(gain),
            practice=practice,
        )
        for gain, item, practice, level in found[:size]
    ]


def _require_complete(practice: pb.Practice) -> None:
    missing = [Violation(field, text) for field, text in _NEEDED.items() if not getattr(practice, field)]
    if missing:
        raise precondition("INCOMPLETE", f"practice {practice.id} cannot be copied like this", missing)


def _withdrawn(practice: pb.Practice) -> Refused:
    return precondition("PRACTICE_WITHDRAWN", f"practice {practice.id} was withdrawn: {practice.reason}")


def _published_fact(practice: pb.Practice) -> events_pb2.PracticePublished:
    return events_pb2.PracticePublished(
        meta=_meta(practice),
        institution=practice.institution,
        practice_id=practice.id,
        title=practice.title,
        kind=practice.kind,
        instrument=practice.instrument,
        levels=practice.levels,
    )


def _meta(practice: pb.Practice) -> Meta:
    return Meta(aggregate_id=f"practice:{practice.id}", version=int(practice.etag), rehearsal=practice.rehearsal)
