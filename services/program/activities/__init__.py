"""What the workflows have done for them: calls to services, writes of our own store."""
