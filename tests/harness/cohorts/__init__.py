"""Cohorts for tests: definitions, orders, and a program process of their own."""
