"""Twelve Data: a stream of prices, and time series."""
