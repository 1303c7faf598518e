"""Drafts become messages, and messages of a day one letter."""
