"""Finnhub: trades of stocks, forex and crypto, and candles."""
