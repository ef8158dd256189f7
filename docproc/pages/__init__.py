"""Processing of a page as a whole, before its fields are read."""
