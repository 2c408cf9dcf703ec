"""The synchronous, deterministic core: no clock, no IO, no randomness, no logging."""
