"""Backups of a whole platform while it runs, and their way back."""
