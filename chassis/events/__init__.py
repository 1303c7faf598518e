"""Facts out and in: the outbox and its relay, durables, the inbox, and what is set aside."""
