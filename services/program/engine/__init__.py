"""Temporal as this service uses it."""
