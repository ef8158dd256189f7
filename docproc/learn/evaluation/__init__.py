"""How good is it: results scored against truth, thresholds, comparisons, reports, speed."""
