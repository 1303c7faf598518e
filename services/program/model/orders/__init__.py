"""What a manager's order does to a cohort that runs. Pure."""
