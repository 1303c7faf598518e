"""Facts in and out: the outbox and the relay that publishes it, the consumer with its inbox, and the dead letters."""
