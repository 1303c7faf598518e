"""The rules of a cohort's course. Pure: they also run inside the workflows."""
