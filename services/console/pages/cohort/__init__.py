"""A cohort, for those who manage it or look after it."""
