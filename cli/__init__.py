"""The `livinglab` command: one module a noun, nothing heavy imported before a command needs it."""
