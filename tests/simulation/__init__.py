"""The whole daemon on a virtual clock, with faults drawn from a seed."""
