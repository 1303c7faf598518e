"""Measures another revision beside this one: each is set up in a folder of its own, and they run in turn."""
