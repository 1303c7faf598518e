"""Events in: facts become entries of ledgers, and letters to people."""
