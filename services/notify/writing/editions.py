"""What managers changed of the texts, brought to where letters are written: on every replica before the next letter."""

from services.notify.store.templates import TemplateStore
from services.notify.texts import Fault, Texts


class Editions:
    """Of one process."""

    def __init__(self, store: TemplateStore, texts: Texts) -> None:
        self._store = store
        self._texts = texts
        self._known: dict[tuple[str, str], int] = {}

    async def refresh(self) -> None:
        """Takes in what has changed since. A version that this release cannot write any more leaves the shipped one."""
        for one in await self._store.current():
            place = one.name, one.language
            if self._known.get(place) == one.version or one.name not in self._texts.names:
                continue
            try:
                self._texts.change(one.name, one.language, one.source)
            except Fault:
                self._texts.change(one.name, one.language, self._texts.shipped(one.name, one.language))
            self._known[place] = one.version
