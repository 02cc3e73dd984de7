"""Your search spaces: each module has a function that asks for hyperparameters and builds a model with them."""
