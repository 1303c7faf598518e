"""The rules of coaches, plans, sessions and visits. Decisions return new state and facts. Pure."""
