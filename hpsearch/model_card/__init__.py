"""The model card of an export: what the model is, how good, how it was made, and what is not known of it."""
