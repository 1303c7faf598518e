"""`livinglab assessment`."""
