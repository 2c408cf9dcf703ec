"""Bars from files: one module per dialect, one way to read them all."""
