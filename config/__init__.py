"""What the operator chose: strict settings, their loading, fingerprint and examples."""
