"""Numbers about runs, each defined in docs/metrics.md."""
