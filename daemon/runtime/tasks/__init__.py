"""The tasks of a daemon: each has one job, a bounded inbox if any, and decides nothing."""
