"""How good it is: results against truth, reports, speed."""
