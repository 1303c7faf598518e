"""The courses of cohorts, participants and schedules as workflows: they only carry out what the rules say."""
