"""What is made from the protos: requests, messages, newer releases."""
