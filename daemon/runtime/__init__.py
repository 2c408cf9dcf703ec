"""What carries the core's decisions out: stepping, strategy loading, status and output files."""
