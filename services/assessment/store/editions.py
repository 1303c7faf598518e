"""The instruments that evaluations rest on, in every version, each ready to score."""

import re
from dataclasses import dataclass

from livinglab.assessment.v1 import evaluation_pb2, instrument_pb2

from chassis.errors import Violation, invalid, not_found
from instruments.lint import leaves, lint
from instruments.scoring import Scorer
from services.assessment.model.self_assessment import MOST_ITEMS
from services.assessment.store.evaluations import Store

_LARGEST = 512 * 2**10
# An instrument's id ends the subject of its fact, where an empty token cannot stand.
_TOKENS = re.compile(r"[^.]+(\.[^.]+)*")


@dataclass(frozen=True, slots=True)
class Edition:
    """One version of an instrument."""

    instrument: instrument_pb2.Instrument
    scorer: Scorer


class Editions:
    """A version never changes, so what was read once is kept; others may publish further ones at any time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[tuple[str, int], Edition] = {}

    async def find(self, instrument: str, version: int = 0) -> Edition | None:
        """That version, or the newest for 0; None where there is none."""
        if not version or (instrument, version) not in self._known:
            await self._read()
        if not version:
            version = max((known for name, known in self._known if name == instrument), default=0)
        return self._known.get((instrument, version))

    async def of(self, evaluation: evaluation_pb2.Evaluation) -> Edition:
        """The version that the evaluation was opened on."""
        edition = await self.find(evaluation.instrument, evaluation.instrument_version)
        if edition is None:
            raise not_found("instrument", f"{evaluation.instrument}:{evaluation.instrument_version}")
        return edition

    async def all(self) -> list[instrument_pb2.Instrument]:
        """Every version, newest first."""
        await self._read()
        found = [edition.instrument for edition in self._known.values()]
        return sorted(found, key=lambda i: (-i.valid_from, i.id, -i.version))

    async def _read(self) -> None:
        keys = await self._store.instrument_keys()
        unknown = [key for key in keys if _version_of(key) not in self._known]
        if unknown:
            for instrument in await self._store.instruments(unknown):
                self._known[instrument.id, instrument.version] = Edition(instrument, Scorer(instrument))


def require_sound(instrument: instrument_pb2.Instrument) -> None:
    """INVALID_ARGUMENT with every fault of the instrument."""
    if instrument.ByteSize() > _LARGEST:
        raise invalid([Violation("instrument", f"has more than {_LARGEST} bytes")])
    faults = [Violation(f"instrument.{fault.place}", fault.reason) for fault in lint(instrument)]
    if instrument.id and not _TOKENS.fullmatch(instrument.id):
        faults.append(Violation("instrument.id", "has a dot at an end, or two in a row"))
    if sum(1 for _ in leaves(list(instrument.nodes))) > MOST_ITEMS:
        faults.append(Violation("instrument.nodes", f"hold more than {MOST_ITEMS} indicators"))
    if faults:
        raise invalid(faults)


def _version_of(key: str) -> tuple[str, int]:
    name, _, version = key.rpartition(":")
    return name, int(version)
