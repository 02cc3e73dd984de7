"""Builds the model a few times before the first trial: finds the space, and what is wrong while it costs seconds."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpsearch.space import Parameter
from hpsearch.worker.task import Task


@dataclass(frozen=True)
class Preflight:
    """What the sample builds showed: the parameters asked for, and the project's own modules that were imported."""

    parameters: tuple[Parameter, ...]
    modules: tuple[Path, ...]


def fly(root: Path, spec: str, task: Task, seed: int, space: Mapping[str, Any]) -> Preflight:
    """Make sample builds of `spec` ("module:function") under the project's root."""
    from hpsearch.worker import building

    parameters = building.discover(root, spec, task, seed, space)
    return Preflight(tuple(parameters), tuple(building.project_modules(root)))
