"""`livinglab ranking` and `livinglab benchmark`."""
