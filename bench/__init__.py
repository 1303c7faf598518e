"""Measures our services beside the bare limit of the same machine, in one run. `make bench` prints the table."""
