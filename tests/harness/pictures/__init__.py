"""What the docs show of the console."""
