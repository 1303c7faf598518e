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
        for (name, language), version in (await self._store.versions()).items():
            if self._known.get((name, language), 0) >= version or name not in self._texts.names:
                continue
            changed = await self._store.get(name, language, version)
            if changed is None or self._known.get((name, language), 0) >= version:
                # Another letter's look was quicker.
                continue
            try:
                self._texts.change(name, language, changed.source)
            except Fault:
                self._texts.change(name, language, self._texts.shipped(name, language))
            self._known[name, language] = version
