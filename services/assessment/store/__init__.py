"""What assessment keeps. Only these files know MongoDB."""
