"""The doctor: what must hold on any running platform, each disagreement with what mends it."""
