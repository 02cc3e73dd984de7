"""Notes what a test measured: HPSEARCH_FIGURES=FILE pytest … appends a line of JSON for each figure."""

import json
import os
from pathlib import Path


def note(promise, **measured):
    """Write down figures of a promise by their names (`seconds=0.4`), if the environment names a file for them."""
    if file := os.environ.get("HPSEARCH_FIGURES"):
        test = os.environ.get("PYTEST_CURRENT_TEST", "").partition(" ")[0]
        with Path(file).open("a", encoding="utf-8") as figures:
            figures.write(json.dumps({"promise": promise, "test": test, **measured}) + "\n")
