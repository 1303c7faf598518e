"""What program keeps. Only these files know MongoDB."""
