"""Activities: what workflows need done outside of themselves, by calls to services and writes to our own store."""
