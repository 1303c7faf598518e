"""Program definitions, and under cohorts/ example cohorts with their rosters, as data."""
