"""Where the numbers stand on a page."""
