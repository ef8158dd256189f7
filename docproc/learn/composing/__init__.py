"""Fields that nobody wrote: what networks are trained on."""
