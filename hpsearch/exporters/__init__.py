"""The formats a model can be exported in."""
