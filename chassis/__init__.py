"""What every process shares; no word of the domain in it."""
