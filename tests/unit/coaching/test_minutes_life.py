"""Whatever people do with the minutes of a session, in whatever order: no version is told twice and none left out, what
was agreed and done stays, nobody speaks of a session that was called off or has not begun."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from livinglab.coaching.v1 import coaching_pb2
from livinglab.coaching.v1 import minutes_pb2 as pb
from livinglab.coaching.v1 import minutes_service_pb2 as rpc

from chassis.errors import Refused
from programs import clock
from services.coaching.model import minutes, sessions

START = datetime(2022, 11, 7, 1, 30, tzinfo=UTC)
END = START + timedelta(hours=2)
FIRST_DAY, REGION = "2022-11-07", "32.11"
PEOPLE = st.sampled_from(["coach-1", "dewi", "budi"])
WORDS = st.sampled_from(["a", "b", "c"])
DAYS = st.sampled_from(["", "2022-11-06", "2022-11-07", "2022-12-01"])


class Life(RuleBasedStateMachine):
    """One session of one institution, from days before it to days after it."""

    @initialize(rehearsal=st.sampled_from(["", "lab"]))
    def is_scheduled(self, rehearsal: str) -> None:
        self.session = coaching_pb2.Session(
            id="s-1",
            cohort_id="lab",
            start_time=clock.stamp(START),
            end_time=clock.stamp(END),
            time_zone="Asia/Jakarta",
            state=coaching_pb2.SESSION_STATE_SCHEDULED,
            etag="1",
            rehearsal=rehearsal,
        )
        self.known = minutes.empty(self.session, REGION)
        self.now = START - timedelta(hours=3)
        self.came = False
        self.versions: list[int] = []
        self.done: dict[str, tuple[str, str]] = {}
        self.given: set[str] = set()

    @property
    def is_on(self) -> bool:
        return self.session.state == coaching_pb2.SESSION_STATE_SCHEDULED

    @property
    def has_begun(self) -> bool:
        return bool(self.session.rehearsal) or self.now >= START - timedelta(hours=2)

    def told(self, fact: Any) -> None:
        if fact is not None:
            self.versions.append(fact.meta.version)

    def refuses(self, decide: Any, *, allowed: bool) -> None:
        """It is done where it may be; else nothing of the minutes changes."""
        before = self.known.SerializeToString(deterministic=True)
        try:
            self.told(decide())
            assert allowed
        except Refused:
            assert not allowed
            assert self.known.SerializeToString(deterministic=True) == before

    @rule(hours=st.integers(1, 60))
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @rule(chance=st.integers(0, 19))
    def is_called_off(self, chance: int) -> None:
        # Seldom: of what was called off there is nothing more to say.
        if chance != 7:
            return
        try:
            sessions.cancelled(self.session, "banjir", self.now)
        except Refused:
            assert self.now >= START

    @rule(titles=st.lists(WORDS, max_size=60), stale=st.booleans())
    def agenda_is_set(self, titles: list[str], *, stale: bool) -> None:
        items = [pb.AgendaItem(title=title) for title in titles]
        etag = f"{self.known.etag}0" if stale else self.known.etag
        request = rpc.SetAgendaRequest(items=items, etag=etag)
        asked = [pb.AgendaItem(title="Terlambat", source=pb.AGENDA_SOURCE_OVERDUE)]
        allowed = self.is_on and not stale
        self.refuses(lambda: minutes.set_agenda(self.known, self.session, request, asked), allowed=allowed)
        if allowed:
            assert [one.source for one in self.known.agenda][:1] == [pb.AGENDA_SOURCE_OVERDUE]
            assert all(one.source == pb.AGENDA_SOURCE_PEOPLE for one in self.known.agenda[1:])

    @rule(who=PEOPLE, agreed=st.lists(st.tuples(WORDS, DAYS), max_size=4), stale=st.booleans())
    def minutes_are_written(self, who: str, agreed: list[tuple[str, str]], *, stale: bool) -> None:
        steps = [pb.NextStep(text=text, due_date=day) for text, day in agreed]
        etag = f"{self.known.etag}0" if stale else ""
        request = rpc.WriteMinutesRequest(notes="n", next_steps=steps, etag=etag)
        early = not self.session.rehearsal and any(day and day < FIRST_DAY for _, day in agreed)
        allowed = self.is_on and self.has_begun and not early and not stale
        self.refuses(lambda: minutes.write(self.known, self.session, request, who, self.now), allowed=allowed)
        if allowed:
            fresh = [step for step in self.known.next_steps if step.id not in self.done]
            assert [(step.text, step.due_date) for step in fresh] == agreed
            assert self.given.isdisjoint(step.id for step in fresh)
            self.given |= {step.id for step in fresh}

    @precondition(lambda self: self.done)
    @rule(who=PEOPLE, place=st.integers(0, 30), outcome=WORDS)
    def what_is_done_is_said_again(self, who: str, place: int, outcome: str) -> None:
        self.complete(sorted(self.done)[place % len(self.done)], who, outcome)

    @rule(who=PEOPLE, place=st.integers(0, 30), outcome=WORDS)
    def step_is_done(self, who: str, place: int, outcome: str) -> None:
        """Of those that there are, now and then one that there is not."""
        ids = [*(one.id for one in self.known.next_steps), "none"]
        self.complete(ids[place % len(ids)], who, outcome)

    def complete(self, step: str, who: str, outcome: str) -> None:
        open_ones = {one.id for one in self.known.next_steps if not one.done_by}
        said = self.done.get(step)
        allowed = step in open_ones or (said is not None and said[1] == outcome)
        request = rpc.CompleteNextStepRequest(step_id=step, outcome=outcome)
        self.refuses(lambda: minutes.complete(self.known, request, who, self.now), allowed=allowed)
        if allowed:
            self.done.setdefault(step, (who, outcome))

    @rule(who=PEOPLE, rating=st.integers(1, 5))
    def feedback_is_given(self, who: str, rating: int) -> None:
        side = pb.FEEDBACK_SIDE_COACH if who == "coach-1" else pb.FEEDBACK_SIDE_INSTITUTION
        request = rpc.GiveFeedbackRequest(rating=rating)
        allowed = self.is_on and self.has_begun
        self.refuses(lambda: minutes.feedback(self.known, self.session, request, side, who, self.now), allowed=allowed)
        if allowed:
            assert [one.rating for one in self.known.feedback if one.given_by == who] == [rating]

    @rule()
    def somebody_comes(self) -> None:
        self.came = self.came or (self.is_on and self.has_begun)

    @rule()
    def nobody_came(self) -> None:
        """As the look-out does: of a session that is over, and once."""
        if self.is_on and not self.came and self.now >= END:
            before = self.known.HasField("miss_time")
            fact = minutes.missed(self.known, self.session, "coach-1", self.now)
            assert (fact is None) == before
            self.told(fact)

    @rule(who=PEOPLE, reason=WORDS)
    def no_show_is_followed_up(self, who: str, reason: str) -> None:
        over = bool(self.session.rehearsal) or self.now >= END
        self.refuses(
            lambda: minutes.made_up(self.known, self.session, reason, who, came=self.came, now=self.now),
            allowed=self.is_on and over and not self.came,
        )

    @invariant()
    def versions_are_told_in_order_and_once(self) -> None:
        assert self.versions == list(range(1, len(self.versions) + 1))
        assert int(self.known.etag) == len(self.versions)

    @invariant()
    def what_is_done_stays_and_no_number_is_given_twice(self) -> None:
        steps = {one.id: one for one in self.known.next_steps}
        assert len(steps) == len(self.known.next_steps)
        assert {i: (one.done_by, one.outcome) for i, one in steps.items() if one.done_by} == self.done

    @invariant()
    def each_person_has_one_say(self) -> None:
        said = [one.given_by for one in self.known.feedback]
        assert len(said) == len(set(said))

    @invariant()
    def it_stays_within_its_bounds(self) -> None:
        assert len(self.known.agenda) <= 50
        if not self.session.rehearsal and self.known.HasField("note_time"):
            assert self.known.note_time.ToDatetime(UTC) >= START - timedelta(hours=2)


TestLife = Life.TestCase
