"""A run: files in, a table out."""
