"""Events in. Assessment starts from what people tell it and needs nobody's facts yet; new ones go into the table."""

from chassis.stream import Reaction

TABLE: tuple[Reaction, ...] = ()
