"""Training data, training and evaluation. Nothing that reads pages imports it.

Layers: training > evaluation > composing > progress | environment.
"""
