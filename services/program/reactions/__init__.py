"""Events in: facts become entries of ledgers, and signals to workflows."""
