"""One pure policy per file; no policy imports another."""
