"""`livinglab cohort`."""
