"""A rehearsal: the program's people played through the public API, a live view, a report, and what must hold."""
