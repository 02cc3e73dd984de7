"""Hyperparameter search for Keras: one experiment file, any tuner, the whole machine, an honest result."""

__version__ = "0.1.0"
