"""Who coaches whom: coaches and their places, the pairs, what a coach sees of its regions."""
