"""What tests of whole processes share: real servers, and waiting for a condition."""
