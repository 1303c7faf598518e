"""The rules of the race: what is compared with what, and what follows. Pure."""
