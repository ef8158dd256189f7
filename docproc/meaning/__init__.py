"""What a text means: marks between digits, amounts, dates."""
