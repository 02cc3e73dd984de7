"""A page to draw on: what is drawn goes to one model or two, and their answers come back at once."""
