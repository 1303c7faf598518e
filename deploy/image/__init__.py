"""The image, and what is in it."""
