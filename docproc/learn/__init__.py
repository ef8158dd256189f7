"""Training data, training and evaluation. Nothing that reads pages imports it; floors: training > evaluation > composing."""
