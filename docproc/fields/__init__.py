"""Find the fields of a page."""
