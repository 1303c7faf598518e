"""RPCs in: one method is one use case: read, decide, one transaction, answer."""
