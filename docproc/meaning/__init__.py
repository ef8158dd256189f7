"""The meaning of texts: marks between digits, amounts, dates."""
