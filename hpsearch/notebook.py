"""A study as a notebook sees it: tables, facts and the winner's model, read from its ledger and never written."""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpsearch import frames, paths, words
from hpsearch.contenders import find
from hpsearch.errors import ExperimentRefused
from hpsearch.records import Verdict
from hpsearch.report.facts import Facts
from hpsearch.report.reading import facts_of
from hpsearch.study import existing

if TYPE_CHECKING:
    import pandas as pd


class OpenedStudy:
    """What a study's ledger held when it was asked; `reload` asks again, which is worth while while the study runs."""

    def __init__(self, project: paths.Project, name: str) -> None:
        """Find the study; raise ExperimentRefused, with the nearest name, when there is none."""
        self.name, self.paths = name, existing(project, name)
        self._project = project

    def __repr__(self) -> str:
        """Name the study, and say how many trials it has."""
        return f"<study {self.name!r}: {words.count(len(self.facts.trials), 'trial')}>"

    def reload(self) -> None:
        """Forget what was read, so that the next look reads the ledger again."""
        for name in ("facts", "trials", "curves"):
            self.__dict__.pop(name, None)

    @cached_property
    def facts(self) -> Facts:
        """The whole study as plain data; raises StateDamaged when the ledger does not hold what was written."""
        return facts_of(self._project, self.name)

    @cached_property
    def trials(self) -> "pd.DataFrame":
        """A row a trial, best first; see `hpsearch.frames.trials`."""
        return frames.trials(self.facts)

    @cached_property
    def curves(self) -> "pd.DataFrame":
        """A row a trial, metric and epoch; see `hpsearch.frames.curves`."""
        return frames.curves(self.facts)

    @property
    def verdict(self) -> Verdict | None:
        """What the finals found; None before they end."""
        return self.facts.verdict

    @property
    def model_file(self) -> Path:
        """The winner's `.keras` file, checked against the ledger.

        Raises NothingCompleted before the finals end, StateDamaged when the file is gone or is not what was tested.
        """
        return find(self._project, self.name).file

    def winner_model(self) -> Any:
        """Load the winner as a keras.Model for prediction; TensorFlow is imported now, if it was not before.

        It takes float32 images in 0 … 1, in the shape that `best/manifest.json` tells. What Keras is set to (a dtype
        policy, say) and the names it has given stay as they are. A model with layers of the project's own needs
        their module imported first. Raises what `model_file` raises.
        """
        from hpsearch.worker.model_reading import read_tested

        return read_tested(self.model_file)


def open_study(name: str, root: str | Path | None = None) -> OpenedStudy:
    """Open a study of the project at `root` (a folder in it will do), or of the one around the working folder.

    Raises ExperimentRefused when there is no such folder or study.
    """
    start = Path.cwd() if root is None else paths.expanded(root)
    if not start.exists():  # around it, another project may have a study of this name
        message = f"{start}: there is no such folder\n  name that of a project, or one in it"
        raise ExperimentRefused(message)
    return OpenedStudy(paths.Project.around(start), name)
