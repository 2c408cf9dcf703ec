"""What decides (core) and what runs (runtime, reports, command line)."""
