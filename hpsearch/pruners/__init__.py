"""The algorithms that stop trials which will not win."""
