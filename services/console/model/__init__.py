"""What pages are made of: words, numbers, charts and maps. Pure."""
