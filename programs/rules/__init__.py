"""What a definition and a cohort must hold, every fault with its place. Pure."""
