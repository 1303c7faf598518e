"""Rules of messages: who hears what, what may stand in one, when it goes out. Pure."""
