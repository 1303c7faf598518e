"""RPCs in: each method reads the projections and lets the rules say what they mean."""
