"""The services, each with its own data; none imports another."""
