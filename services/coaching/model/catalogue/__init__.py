"""The rules of the catalogue of good practices, and of copying them."""
