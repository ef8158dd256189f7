"""The trained models: where they lie, what their cards say, how they are opened."""
