"""The algorithms that choose the points of the space."""
