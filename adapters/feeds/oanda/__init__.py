"""OANDA v20: bid and ask over chunked HTTP, and mid candles."""
