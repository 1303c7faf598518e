"""Instruments, evaluations and evidence: what an institution says of itself and what assessors find."""
