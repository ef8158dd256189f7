"""From composed fields to the files of a model."""
