"""Whether hosts can be reached."""
