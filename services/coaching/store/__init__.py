"""What coaching keeps. Only these files know MongoDB."""
