"""`livinglab events`."""
