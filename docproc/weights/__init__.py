"""The trained models: where they are, what their cards say, how they are opened."""
