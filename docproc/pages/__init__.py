"""A page as a whole, before anything on it is looked for."""
