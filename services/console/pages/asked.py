"""Questions that several public pages ask, each remembered for a moment."""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import grpc
import grpc.aio
from livinglab.assessment.v1 import service_pb2 as assessment_pb
from livinglab.benchmark.v1 import service_pb2 as benchmark_pb

from directory import official_regions
from instruments.guidance import Guide, Guides
from services.console.live import Remembered
from services.console.model import words
from services.console.session.neighbours import Neighbours, Person

T = TypeVar("T")

# How old what the public sees may be; instruments are published a few times in a decade.
MOMENT = 1.0
_INSTRUMENTS_SECONDS = 30.0
_PAGE = 1_000


class Asked:
    """The public's questions to the services."""

    def __init__(self, neighbours: Neighbours, remembered: Remembered) -> None:
        self.neighbours = neighbours
        self._remembered = remembered

    async def remembered(self, name: Any, make: Callable[[], Coroutine[Any, Any, T]], seconds: float = MOMENT) -> T:
        """An answer that is at most so old."""
        return await self._remembered.get(name, seconds, make)

    async def once(self, person: Person, method: Any, request: Any, seconds: float = MOMENT) -> Any:
        """What a method answers to the public."""
        name = type(request), request.SerializeToString(deterministic=True)
        return await self.remembered(name, lambda: person.ask(method, request), seconds)

    async def instruments(self, person: Person) -> dict[str, Any]:
        """The newest version of each instrument by its id, the newest instrument first."""
        request = assessment_pb.ListInstrumentsRequest()
        listed = await self.once(person, self.neighbours.instruments.ListInstruments, request, _INSTRUMENTS_SECONDS)
        found: dict[str, Any] = {}
        for instrument in sorted(listed.instruments, key=lambda i: (i.valid_from, i.id, i.version), reverse=True):
            found.setdefault(instrument.id, instrument)
        return found

    async def instrument(self, person: Person, name: str, version: int) -> Any:
        """One version of an instrument."""
        request = assessment_pb.GetInstrumentRequest(id=name, version=version)
        asked = await self.once(person, self.neighbours.instruments.GetInstrument, request, _INSTRUMENTS_SECONDS)
        return asked.instrument

    async def guide(self, person: Person, instrument: Any, number: str) -> Guide | None:
        """What each level of an indicator asks for; None where nobody has written it."""
        request = assessment_pb.GetGuidanceRequest(instrument=instrument.id, version=instrument.version)

        async def make() -> Guides | None:
            try:
                answer = await person.ask(self.neighbours.instruments.GetGuidance, request)
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.NOT_FOUND:
                    raise
                return None
            return Guides(answer.guidance, instrument)

        guides = await self.remembered(("guides", instrument.id, instrument.version), make, _INSTRUMENTS_SECONDS)
        return guides.of(number) if guides else None

    async def races(self, person: Person) -> list[Any]:
        """Every race that was held, newest first."""
        answer = await self.once(person, self.neighbours.race.ListRaces, benchmark_pb.ListRacesRequest())
        return list(answer.races)

    async def ranking(self, person: Person, race: Any) -> Any:
        """Everybody in a race, with movement since it was held before."""

        async def make() -> Any:
            whole = None
            token = ""
            while whole is None or token:
                request = benchmark_pb.GetRankingRequest(
                    race=race, page_size=_PAGE, page_token=token, since_previous=True
                )
                page = await person.ask(self.neighbours.race.GetRanking, request)
                token = page.next_page_token
                if whole is None:
                    whole = page
                else:
                    whole.rows.extend(page.rows)
            return whole

        return await self.remembered(("ranking", race.SerializeToString(deterministic=True)), make)


def group_name(group: str, language: str) -> str:
    """What a group is called: the nation, kabupaten, a province."""
    kind, _, name = group.partition(":")
    if kind in ("", "nation"):
        return words.text("nation", language)
    if kind == "kind":
        return words.word(f"kind_{name}", language) if words.known(f"kind_{name}") else name
    if kind == "province" and name in official_regions():
        return official_regions()[name].name
    return name
