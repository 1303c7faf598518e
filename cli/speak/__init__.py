"""How every command speaks and listens: output, connections, files, charts."""
