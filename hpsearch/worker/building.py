"""Builds models: the one of a trial, and the samples that show what a search space asks for."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

from hpsearch.errors import ExperimentRefused, Mistake
from hpsearch.narrowing import Wish, narrow
from hpsearch.space import Condition, Parameter, Value
from hpsearch.worker.finding import Build, find_build, project_modules
from hpsearch.worker.task import Task

__all__ = ["NotAModel", "SpaceDrift", "build", "discover", "find_build", "project_modules"]

MOST_BUILDS = 12
QUIET_BUILDS = 3

Key = tuple[str, tuple[Condition, ...]]


class NotAModel(ValueError):  # noqa: N818 - named by what it says
    """What the build function returned cannot be trained."""


class SpaceDrift(ExperimentRefused):
    """Two builds with the same values asked for different things: no search of such a space means anything."""


def build(function: Build, hp: Any) -> Any:
    """Call the build function; raise NotAModel unless it returns a compiled Keras model."""
    import keras

    model = function(hp)
    name = getattr(function, "__qualname__", repr(function))
    if model is None:
        message = f"{name} returned nothing; does it end with `return model`?"
    elif not isinstance(model, keras.Model):
        message = f"{name} returned a {type(model).__module__}.{type(model).__qualname__}, not a keras.Model"
    elif not model.compiled:
        message = f"{name} returned a model that is not compiled; call model.compile(…) before `return model`"
    else:
        return model
    raise NotAModel(message)


def discover(
    root: Path, spec: str, task: Task, seed: int, space: Mapping[str, Wish] | None = None
) -> list[Parameter]:
    """Find what the build function asks for by a few sample builds: two with defaults, then with random values.

    Gives the parameters as `space` narrows them, those of inactive scopes included, each (name, conditions)
    once, in the order found. Ends when three builds in a row show nothing new, at the latest after twelve.
    Raises ExperimentRefused for wishes that cannot be granted, SpaceDrift, and what a build with defaults raises.
    """
    sampler = _Sampler(find_build(root, spec), task, space or {})
    found = sampler.build(None)
    _refuse_drift(found, sampler.build(None))
    sampler.refuse_wishes()
    quiet = 0
    for seeds in _seeds(seed):
        known = len(found)
        try:
            found = sampler.build(seeds) | found if False else found | sampler.build(seeds)
        except Exception:  # a point of the space that cannot be built fails its trial, not the search
            continue
        quiet = 0 if len(found) > known else quiet + 1
        if quiet == QUIET_BUILDS:
            break
    sampler.refuse_wishes()
    return list(found.values())
