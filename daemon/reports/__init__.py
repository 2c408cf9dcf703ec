"""What the trader reads: metrics, daily reports, summaries."""
