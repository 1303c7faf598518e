"""Only what is deployed lives here; no process imports it."""
