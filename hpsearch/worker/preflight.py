"""Builds the model a few times before the first trial: finds the space, and what is wrong while it costs seconds."""

import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpsearch.errors import ExperimentRefused, HpsearchError, Mistake
from hpsearch.space import Parameter
from hpsearch.worker.task import Task


@dataclass(frozen=True)
class Preflight:
    """What the sample builds showed: the parameters asked for, and the project's own modules, relative to its root."""

    parameters: tuple[Parameter, ...]
    modules: tuple[str, ...]


def fly(root: Path, spec: str, task: Task, seed: int, space: Mapping[str, Any]) -> Preflight:
    """Make sample builds of `spec` ("module:function") under the project's root; raise ExperimentRefused."""
    from hpsearch.worker import building

    try:
        parameters = building.discover(root, spec, task, seed, space)
    except HpsearchError:
        raise
    except Exception as error:
        what = f"a sample build raised {type(error).__name__}: {error}"
        raise ExperimentRefused([Mistake("model.build", what, _where(error, root))]) from error
    modules = (file.relative_to(root.resolve()).as_posix() for file in building.project_modules(root))
    return Preflight(tuple(parameters), tuple(modules))


def _where(error: Exception, root: Path) -> str:
    """The lines of the project's own files that led to the error."""
    root = root.resolve()
    frames = [
        f"{Path(frame.filename).relative_to(root)}, line {frame.lineno}, in {frame.name}: {frame.line}"
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(root) and "site-packages" not in frame.filename
    ]
    return "\n  ".join(frames)
