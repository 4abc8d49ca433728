"""What to measure, how to score it, where the thresholds lie, and the reports."""
