"""A study of instant trials with all its parts real, put together as a session does, but for data and finals."""

import io
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from hpsearch import files, paths, plugins
from hpsearch.crew import Crew
from hpsearch.executors.local import Local
from hpsearch.experiment import Experiment
from hpsearch.listening import told_again
from hpsearch.outbox import Outbox
from hpsearch.protocols import Brief
from hpsearch.records import News, SessionBegan, SpaceFound
from hpsearch.search import search
from hpsearch.splits import Splits
from hpsearch.study import Study
from hpsearch.trackers.board import Board
from hpsearch.trackers.via_mlflow import for_study
from instant_trials import SPACE, Pace, work


class _Nowhere(io.StringIO):
    """A terminal that keeps nothing."""

    def write(self, text: str) -> int:
        return len(text)


class InstantStudy:
    """Opens the study in a folder, new or to go on with; `with` it, nothing is left running."""

    def __init__(
        self, folder: Path, tuner: str, trials: int, pace: Pace, *, workers: int = 2, mlflow: bool = True
    ) -> None:
        """Choose the parts; `mlflow` tracks into a SQLite file in the folder."""
        wanted = {"tuner": tuner, "trials": trials}
        self._experiment = Experiment.model_validate(
            {"name": "instant", "model": {"build": "none:none"}, "search": wanted, "train": {"epochs": pace.epochs}}
        )
        self._project, self._pace, self._mlflow = paths.Project(folder), pace, mlflow
        self.executor = Local(workers, work)
        self.tuner_seconds = 0.0
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Replay what the ledger holds into state, board, tuner and pruner, and let MLflow follow."""
        self.executor.start()
        self._stack.callback(self.executor.close)
        folder = self._project.study("instant")
        files.make(folder.folder)
        self.study = Study(self._experiment, folder)
        self._stack.callback(self.study.close)
        self.study.record(SessionBegan("instant", self._experiment.model_dump(mode="json"), {}, (), {}))
        self.study.record(SpaceFound(SPACE), durable=True)
        self._watch()
        self.outbox = self._follow()
        self.executor.open(self._pace)  # type: ignore[arg-type]  # this work takes it for its recipe
        self._minds()
        return self

    def _watch(self) -> None:
        from rich.console import Console

        board = Board(self._experiment, self.executor.count, Console(file=_Nowhere(), force_terminal=True))
        self._stack.callback(board.close)
        for news in told_again(self.study):
            board.hear(news)
        self.study.listen(board.hear)

    def _follow(self) -> Outbox | None:
        made = for_study(self._project, self._experiment, self.study.paths) if self._mlflow else None
        if made is None:
            return None
        outbox = Outbox(self.study.paths.ledger, self.study.paths.cursor, made, self.executor.call)
        outbox.start()
        return outbox

    def _minds(self) -> None:
        experiment = self._experiment
        brief = Brief(
            experiment.objective, 0, experiment.search.trials, experiment.train.epochs, SPACE,
            self.study.hand_over(),
        )  # fmt: skip
        self._tuner = plugins.make("tuners", experiment.search.tuner, {}, "")
        self._pruner = plugins.make("pruners", experiment.search.pruner, {}, "")
        self._tuner.begin(brief)
        self._stack.callback(self._tuner.close)
        self._pruner.begin(brief)

    def search(self, hear: Callable[[News], None]) -> None:
        """Search to the end of the budget; `hear` hears every record."""
        self.study.listen(hear)
        labels = self._project.root / "labels.npy"
        if not labels.exists():
            import numpy as np

            np.save(labels, np.arange(100) % 2)
        crew = Crew(self.study, self.executor, Splits(self._experiment, labels, self.study.paths.splits))
        search(self.study, self._timed(self._tuner), self._pruner, crew, lambda: False)

    def _timed(self, tuner: Any) -> Any:
        def timed(method: Callable[..., Any]) -> Callable[..., Any]:
            def call(*arguments: Any) -> Any:
                began = time.thread_time()
                try:
                    return method(*arguments)
                finally:
                    self.tuner_seconds += time.thread_time() - began

            return call

        for name in ("ask", "suggest", "tell"):
            setattr(tuner, name, timed(getattr(tuner, name)))
        return tuner

    def lag(self) -> int:
        """How many records MLflow has not heard."""
        return self.outbox.waiting() if self.outbox else 0

    def drain(self, patience: float) -> float:
        """Seconds until MLflow has heard everything."""
        began = time.perf_counter()
        if self.outbox:
            self.outbox.close(patience)
        return time.perf_counter() - began

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of everything."""
        if self.outbox:
            self.outbox.close(0)
        self._stack.close()
