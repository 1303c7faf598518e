"""`livinglab evidence`."""
