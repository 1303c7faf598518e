"""Cohorts: their definitions, their course as workflows, and what each participant has done."""
