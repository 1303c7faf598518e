"""Random cohorts, orders, facts and times: the real agenda does what a simple telling of a cohort says."""

from datetime import timedelta
from fractions import Fraction
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from livinglab.program.v1 import cohort_pb2, command_pb2, definition_pb2

from chassis.errors import Refused
from programs import clock
from services.program.model import states
from services.program.model.orders.carried_out import known_answer
from tests.harness.cohorts.agenda import START, Course, gate, phase
from tests.harness.reference import Reference, RefPhase

WORDS: dict[int, str] = {
    states.ACTIVE: "active",
    states.GRADUATED: "graduated",
    states.WITHDRAWN: "withdrawn",
    states.FAILED: "failed",
}
PLACE = st.integers(0, 3)
WHO = st.integers(0, 4)


@st.composite
def definitions(draw: st.DrawFn) -> list[tuple[definition_pb2.Phase, RefPhase]]:
    """One to four phases, one after the other or side by side, for everybody or for some."""
    found: list[tuple[definition_pb2.Phase, RefPhase]] = []
    opens = 0
    for place in range(draw(st.sampled_from([4, 3, 2, 1]))):
        name, earlier = f"p{place}", [known.name for _, known in found]
        opens += draw(st.integers(0, 5)) if place else 0
        last = opens + draw(st.integers(0, 6))
        after = draw(st.sampled_from([[], ["start"], *([at] for at in earlier)])) if place else []
        required = draw(st.booleans())
        duties = [definition_pb2.Duty(id=f"{name}-done", required=required), definition_pb2.Duty(id=f"{name}-seen")]
        rule_of_gate: dict[str, Any] = {
            "quorum_percent": draw(st.sampled_from([1, 50, 100])),
            "quorum_of": draw(st.sampled_from([[], [f"{name}-seen"]])),
            "decision": draw(st.integers(0, 4)) == 0,
            "extend_days": 2,
        }
        on_miss = draw(st.sampled_from(["EXTEND", "GO_ON", "STOP", "HOLD"]))
        when = draw(st.sampled_from(["", "done", "missed"])) if earlier else ""
        asked = f"{draw(st.sampled_from(earlier))}-done" if when else ""
        fields: dict[str, Any] = {"when": definition_pb2.Condition(**{when: asked})} if when else {}
        made = phase(name, opens, last, after=after, duties=duties, gate=gate(on_miss, **rule_of_gate), **fields)
        told = RefPhase(
            name,
            Fraction(opens),
            Fraction(last + 1),
            frozenset({f"{name}-done"} if required else ()),
            after,
            quorum=rule_of_gate["quorum_percent"],
            quorum_of=frozenset(rule_of_gate["quorum_of"]),
            on_miss=on_miss,
            decision=rule_of_gate["decision"],
            done=asked if when == "done" else "",
            missed=asked if when == "missed" else "",
        )
        found.append((made, told))
    return found


class Cohorts(RuleBasedStateMachine):
    """The same is done to both."""

    @initialize(defined=definitions(), count=st.integers(1, 4))
    def launch(self, defined: list[tuple[definition_pb2.Phase, RefPhase]], count: int) -> None:
        names = [f"i{number}" for number in range(count)]
        self.real = Course([made for made, _ in defined], names)
        self.told = Reference([told for _, told in defined], dict.fromkeys(names, "active"))
        self.told.settle()

    def _phase(self, place: int) -> str:
        return self.told.phases[place % len(self.told.phases)].name

    def _order(self, expected: str, **order: Any) -> None:
        command = self.real.command(**order)
        try:
            step, refused = self.real.give(command), ""
        except Refused as error:
            step, refused = None, error.reason
        assert refused == expected
        if step is not None:
            before = self.real.state.SerializeToString(deterministic=True)
            answer = known_answer(self.real.state, command)
            assert answer is not None
            assert answer.awaiting_second == step.awaiting_second
            assert self.real.state.SerializeToString(deterministic=True) == before
        self.real.settle()
        self.told.settle()

    @rule(hours=st.integers(1, 70))
    def wait(self, hours: int) -> None:
        self.real.wait(timedelta(hours=hours))
        self.told.wait(self.told.now + Fraction(hours, 24))

    @rule(who=WHO, place=PLACE, what=st.sampled_from(["done", "seen"]))
    def do(self, who: int, place: int, what: str) -> None:
        known = sorted(self.told.people)
        code, duty = known[who % len(known)], f"{self._phase(place)}-{what}"
        self.told.did(code).add(duty)
        self.told.settle()
        self.real.fact(code, duty)
        self.real.fact(code, duty)

    @precondition(lambda self: bool(self.told.active()))
    @rule(who=WHO)
    def withdraw(self, who: int) -> None:
        known = sorted(self.told.active())
        self.told.people[known[who % len(known)]] = "withdrawn"
        self.told.settle()
        self.real.withdraw(known[who % len(known)])

    @rule()
    def pause(self) -> None:
        self._order("COHORT_ENDED" if self.told.over else self.told.pause(), pause=command_pb2.PauseOrder())

    @rule()
    def resume(self) -> None:
        self._order("COHORT_ENDED" if self.told.over else self.told.resume(), resume=command_pb2.ResumeOrder())

    @rule(place=PLACE, action=st.sampled_from(["EXCUSE", "EXCUSE", "CLOSE", "STOP"]))
    def override(self, place: int, action: str) -> None:
        name = self._phase(place)
        expected = "COHORT_ENDED" if self.told.over else self.told.override(name, action)
        kind = cohort_pb2.GateAction.Value(f"GATE_ACTION_{action}")
        self._order(expected, override=command_pb2.OverrideOrder(phase=name, action=kind))

    @rule(place=PLACE, opening=st.integers(-4, 4), deadline=st.integers(-4, 6))
    def reschedule(self, place: int, opening: int, deadline: int) -> None:
        name = self._phase(place)
        expected = "COHORT_ENDED" if self.told.over else self.told.reschedule(name, opening, deadline)
        order = command_pb2.RescheduleOrder(phase=name, open_days=opening, deadline_days=deadline)
        self._order(expected, reschedule=order)

    @rule(place=PLACE, days=st.integers(1, 5), readmit=st.booleans())
    def reopen(self, place: int, days: int, readmit: bool) -> None:
        name = self._phase(place)
        failed = [w for w, at in self.told.failed_at.items() if at == name and self.told.people[w] == "failed"]
        back = sorted(failed) if readmit else []
        expected = "COHORT_ENDED" if self.told.over else self.told.reopen(name, days, back)
        order = command_pb2.ReopenOrder(phase=name, days=days, readmit=readmit, institutions=back)
        self._order(expected, reopen=order)

    @rule(who=WHO)
    def readmit(self, who: int) -> None:
        known = sorted(self.told.people)
        code = known[who % len(known)]
        expected = "COHORT_ENDED" if self.told.over else self.told.readmit(code)
        self._order(expected, readmit=command_pb2.ReadmitOrder(institution=code))

    @rule(number=st.integers(5, 6))
    def enrol(self, number: int) -> None:
        code = f"i{number}"
        # Who was in the launch is known to the read model alone.
        expected = "COHORT_ENDED" if self.told.over else self.told.enrol(code)
        self._order(expected, enrol=command_pb2.EnrolOrder(participant=definition_pb2.Participant(institution=code)))

    @invariant()
    def both_are_alike(self) -> None:
        assert self.real.over == self.told.over
        assert {code: WORDS[who.outcome] for code, who in self.real.people.items()} == self.told.people
        if not self.told.over:
            assert list(self.real.states().values()) == [phase.state for phase in self.told.phases]
            for record, told in zip(self.real.state.phases, self.told.phases, strict=True):
                if not told.is_over:
                    assert (clock.moment(record.deadline_time) - START) / timedelta(days=1) == float(told.closes)

    @invariant()
    def every_participant_is_counted_once(self) -> None:
        counts = states.counts(who.outcome for who in self.real.people.values())
        assert counts.participants == len(self.real.people)
        assert counts.active == self.real.cohort.active_count

    def teardown(self) -> None:
        """Once nothing more happens it ends, unless a manager has to decide, which shows."""
        if not hasattr(self, "real"):
            return
        if self.real.cohort.paused and not self.real.over:
            self.resume()
        self.real.wait(timedelta(days=400))
        held = [record for record in self.real.state.phases if record.HasField("held_time")]
        assert self.real.over or held
        if self.real.over:
            assert not self.real.active()


TestCohorts = Cohorts.TestCase
TestCohorts.settings = settings(
    max_examples=400, stateful_step_count=30, derandomize=True, deadline=None, database=None
)
