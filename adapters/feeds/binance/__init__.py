"""Binance: spot and futures market streams, and their kline history."""
