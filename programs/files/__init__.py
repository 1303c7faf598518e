"""Definitions, cohorts and rosters as people write them: files in, messages and faults with lines out."""
