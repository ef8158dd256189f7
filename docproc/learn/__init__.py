"""Training, evaluation and all that only it needs."""
