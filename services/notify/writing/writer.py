"""Drafts become messages: the text, the channel, the time from which each may go out."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from livinglab.notify.v1 import inbox_service_pb2
from livinglab.notify.v1 import service_pb2 as pb

from chassis import mongo, naming
from services.notify.model import preferences, seats
from services.notify.store.messages import Store
from services.notify.store.preferences import PreferenceStore
from services.notify.texts import Texts
from services.notify.writing.editions import Editions

_INBOX, _DIGEST = inbox_service_pb2.MANNER_INBOX, inbox_service_pb2.MANNER_DIGEST

_WHERE = {"id": "Pekerjaan Bapak/Ibu di platform Living Lab", "en": "Your work on the Living Lab platform"}
_PAGES = {"id": "/work", "en": "/en/work"}


class Writer:
    """Composes messages and stores them; `wake` tells the delivery that there is something to send."""

    def __init__(
        self,
        store: Store,
        wishes: PreferenceStore,
        texts: Texts,
        wake: Callable[[], None],
        console_url: str = "",
        editions: Editions | None = None,
        *,
        phones: bool = False,
    ) -> None:
        """`console_url` is where browsers find the console; empty where there is none. `phones`: short messages can be
        sent."""
        self._phones = phones
        self.texts = texts
        self.wake = wake
        self._store = store
        self._wishes = wishes
        self._editions = editions
        self._console = console_url.rstrip("/")

    async def compose(
        self, drafts: Sequence[pb.Draft], cohort_id: str, rehearsal: str, rule: str = ""
    ) -> list[pb.Message]:
        """Messages that are not stored yet. jinja2.UndefinedError where a value is missing."""
        if self._editions is not None:
            await self._editions.refresh()
        now = datetime.now(UTC)
        # Ids of one millisecond are in no order of their own.
        ids = sorted(naming.new_id() for _ in drafts)
        # A rehearsal is told as it would be for everybody: its days pass in seconds, and nobody's mailbox is its.
        wishes = {} if rehearsal else await self._wishes.of(seats.of(draft.recipient) for draft in drafts)
        wanted = [wishes.get(seats.of(draft.recipient)) for draft in drafts]
        emails = [d.recipient.email or (w.email if w else "") for d, w in zip(drafts, wanted, strict=True)]
        sent = {} if rehearsal else await self._store.sent_in_the_hour(emails)
        messages = []
        for message_id, draft, wish, email in zip(ids, drafts, wanted, emails, strict=True):
            message = self._message(message_id, draft, now)
            message.cohort_id, message.rehearsal, message.rule = cohort_id, rehearsal, rule
            if rehearsal:
                # Its days are not those of anybody's calendar.
                message.ClearField("events")
            text = self.texts.write(draft.template, draft.recipient.language, draft.values, rehearsal=bool(rehearsal))
            message.subject, message.body = text.subject, self._where(text.body, draft)
            message.recipient.email = email
            _plan(message, wish, now, sent.get(email, 0), phones=self._phones)
            sent[email] = sent.get(email, 0) + 1
            messages.append(message)
        return messages

    async def write(self, drafts: Sequence[pb.Draft], cohort_id: str, rehearsal: str, rule: str) -> None:
        """Stores them in a transaction of their own. Drafts have keys: again, it writes nothing more."""
        messages = await self.compose(drafts, cohort_id, rehearsal, rule)

        async def body(tx: mongo.Tx) -> None:
            await self._store.add(tx, messages)

        await self._store.db.transaction(body)
        self.wake()

    def _where(self, body: str, draft: pb.Draft) -> str:
        """The text, and where its reader does what it asks for."""
        if not self._console:
            return body
        language = draft.recipient.language
        return f"{body}\n{_WHERE[language]}: {self._console}{_PAGES[language]}\n"

    def _message(self, message_id: str, draft: pb.Draft, now: datetime) -> pb.Message:
        return pb.Message(
            id=message_id,
            template=draft.template,
            recipient=draft.recipient,
            values=draft.values,
            state=pb.MESSAGE_STATE_QUEUED,
            channel=pb.CHANNEL_EMAIL,
            accept_time=mongo.timestamp(now),
            key=draft.key,
            events=draft.events,
        )


def _plan(
    message: pb.Message, wanted: inbox_service_pb2.Preferences | None, now: datetime, sent: int, *, phones: bool
) -> None:
    """When it goes out, and how."""
    institution = message.recipient.institution
    plan = preferences.planned(wanted, message.template, institution, now, sent_in_the_hour=sent)
    at_once = plan.manner not in (_INBOX, _DIGEST) and preferences.kind(message.template) != preferences.DIGESTS
    if phones and wanted and at_once:
        message.phone = wanted.phone
    if not message.recipient.email or plan.manner == _INBOX:
        message.channel = pb.CHANNEL_INBOX
        message.state = pb.MESSAGE_STATE_DELIVERED
        message.delivery_time.FromDatetime(now)
        if message.phone:
            message.next_attempt_time.FromDatetime(plan.due)
        return
    message.next_attempt_time.FromDatetime(plan.due)
    if plan.manner == _DIGEST:
        message.state = pb.MESSAGE_STATE_HELD
