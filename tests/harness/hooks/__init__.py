"""Another system's side of webhooks, and facts that are sent to it."""
