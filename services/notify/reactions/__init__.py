"""Events in: facts become messages to people, by the rules."""
