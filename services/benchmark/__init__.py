"""The race: who stands where, how far from the role model and the targets, and what holds them back."""
