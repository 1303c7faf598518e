"""What notify keeps: messages, and what is still to be told."""
