"""Coaches, sessions, agreements and action plans: what is done with an evaluation."""
