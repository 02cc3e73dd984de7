"""Where images with labels come from."""
