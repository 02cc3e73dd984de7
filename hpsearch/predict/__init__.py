"""Lets a finished model read pictures of handwriting."""
