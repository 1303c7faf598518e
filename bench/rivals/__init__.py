"""What people would pick instead, doing the same work on the same machine with the same promises: `make rivals` brings
them, and without them their rows say so."""

from bench.rivals.durable import rows as rows
