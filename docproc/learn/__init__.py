"""Training data, training and evaluation. Nothing that reads pages imports it.

Floors: training > evaluation > composing > progress | environment.
"""
