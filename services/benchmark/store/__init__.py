"""What benchmark keeps: projections of facts, and what managers set. Only these files know MongoDB."""
