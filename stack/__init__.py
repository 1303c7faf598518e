"""The embedded platform: servers, our own processes, readiness and rehearsal actors for a laptop, tests and trials."""
