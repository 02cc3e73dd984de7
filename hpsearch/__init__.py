"""Hyperparameter search for Keras: one experiment file, any tuner, the whole machine, an honest result."""

TYPE_CHECKING = False  # not typing's, which the command would have to import before it hears a signal
if TYPE_CHECKING:
    from pathlib import Path

    from hpsearch.notebook import OpenedStudy

__version__ = "0.1.0"


def open_study(name: str, root: "str | Path | None" = None) -> "OpenedStudy":
    """Open a study for reading, of the project at `root` or around the working folder: see docs/python.md.

    Raises ExperimentRefused when there is no such folder, or no study of this name.
    """
    from hpsearch import notebook

    return notebook.open_study(name, root)
