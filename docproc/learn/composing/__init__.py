"""Training data: MNIST, and fields composed of drawn strokes, MNIST digits and E-13B characters."""
