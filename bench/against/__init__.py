"""Another revision beside this one: set up in a folder of its own, both run from outside, turned about."""
