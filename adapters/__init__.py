"""How the world is touched: ports and their implementations for feeds, brokers and clocks."""
