"""Temporal as everything here uses it: one way to connect, one form of payloads."""
