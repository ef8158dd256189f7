"""From scores to strings and to how far they can be trusted."""
