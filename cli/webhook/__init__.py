"""Facts for other systems over HTTP."""
