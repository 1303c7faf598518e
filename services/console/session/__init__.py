"""Who asks, and how the services hear it."""
