"""Events in. Notify writes to people when it is told to, not on facts that it hears; new ones go into the table."""

from chassis.events.stream import Reaction

TABLE: tuple[Reaction, ...] = ()
