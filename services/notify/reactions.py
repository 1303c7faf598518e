"""Facts that notify hears: none yet. It writes to people when another service asks it to."""

from chassis.events.stream import Reaction

TABLE: tuple[Reaction, ...] = ()
