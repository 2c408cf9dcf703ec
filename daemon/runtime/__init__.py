"""What carries the core's decisions out: stepping, loading of strategies, status and output files."""
