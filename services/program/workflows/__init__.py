"""The workflows of cohorts, participants and schedules. They only carry out what the rules in `model` decide."""
