"""Quality of the results: scoring against truth, thresholds, comparisons, reports, speed."""
