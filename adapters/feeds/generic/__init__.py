"""Any socket that sends bars as JSON, read by the names of its fields."""
