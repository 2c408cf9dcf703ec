"""What is true: nouns, journal entries, the ledger and its store. Knows nothing of the outside."""
