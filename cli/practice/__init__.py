"""`livinglab practice`: the catalogue of good practices."""
