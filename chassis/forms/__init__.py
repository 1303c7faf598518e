"""What texts that people give look like: one form each, whoever takes them."""
