"""Writes the experiment that follows from a study's findings: ranges widened and narrowed, choices left out."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from hpsearch.experiment import Experiment
from hpsearch.report.findings import BoundHit, Finding, Gathered, NeverHelped
from hpsearch.space import Parameter, Value, Values

BATCH_SIZE = "batch_size"
FURTHER = 0.5  # of a range: by so much it is widened, and what the best trials cover is widened on both sides
DIGITS = 3


def next_experiment(
    experiment: Experiment, findings: Sequence[Finding], idle: Values, name: str, *, guided: bool = False
) -> dict[str, Any]:
    """The experiment as plain data, without defaults, under a new name, with [space] as the findings want it.

    `idle` are parameters of little matter, with the values they are fixed to; with `guided` it starts from the study's
    best trials.
    """
    said = experiment.model_dump(mode="json", exclude_defaults=True)
    said["name"] = name
    if guided:
        said["search"] = {**said.get("search", {}), "start_from": experiment.name}
    space = {**said.pop("space", {}), **idle, **_choices(findings)}
    for finding in findings:
        if isinstance(finding, BoundHit | Gathered) and finding.parameter.name not in idle:
            space[finding.parameter.name] = _range(finding)
    if BATCH_SIZE in space and len(experiment.train.batch_sizes) > 1:  # searched by [train], not by build_model
        said["train"] = {**said["train"], BATCH_SIZE: space.pop(BATCH_SIZE)}
    order = ("name", "seed", "data", "model")
    return {key: said[key] for key in order if key in said} | ({"space": space} if space else {}) | said


def _choices(findings: Iterable[Finding]) -> dict[str, Value | list[Value]]:
    """What is left of the choices of each parameter; one that is left alone is fixed, and where none is, all stay."""
    left: dict[str, list[Value]] = {}
    for finding in findings:
        if isinstance(finding, NeverHelped):
            name = finding.parameter.name
            known = left.get(name, list(finding.parameter.choices or (False, True)))
            left[name] = [choice for choice in known if choice != finding.choice]
    return {name: choices if len(choices) > 1 else choices[0] for name, choices in left.items() if choices}


def _range(finding: BoundHit | Gathered) -> dict[str, Any]:
    parameter = finding.parameter
    low, high = _widened(finding) if isinstance(finding, BoundHit) else _narrowed(finding)
    said: dict[str, Any] = {"min": low, "max": high}
    if parameter.step is not None and not (parameter.kind == "int" and parameter.step == 1):
        said["step"] = parameter.step
    if parameter.sampling != "linear":
        said["sampling"] = parameter.sampling
    return said


def _widened(finding: BoundHit) -> tuple[float, float]:
    """The range, moved outwards at one end by half its width; never over 0, and a share never up to 1."""
    parameter = finding.parameter
    low, high = float(parameter.low or 0), float(parameter.high or 0)
    if parameter.sampling != "linear":
        factor: float = (high / low) ** FURTHER
        return _fitted(parameter, *((low / factor, high) if finding.end == "low" else (low, high * factor)))
    reach = FURTHER * (high - low)
    if finding.end == "low":
        low = max(low - reach, low / 2) if low >= 0 else low - reach
    else:
        high = min(high + reach, (1 + high) / 2) if parameter.kind == "float" and 0 < high < 1 else high + reach
    return _fitted(parameter, low, high)


def _narrowed(finding: Gathered) -> tuple[float, float]:
    """What the best trials cover, with half of that on either side, within the old range."""
    parameter = finding.parameter
    low, high = float(parameter.low or 0), float(parameter.high or 0)
    if parameter.sampling == "linear":
        reach = max(FURTHER * (finding.high - finding.low), 0.05 * (high - low))
        inner = finding.low - reach, finding.high + reach
    else:
        factor = max(finding.high / finding.low, (high / low) ** 0.1) ** FURTHER
        inner = finding.low / factor, finding.high * factor
    return _fitted(parameter, max(low, inner[0]), min(high, inner[1]))


def _fitted(parameter: Parameter, low: float, high: float) -> tuple[float, float]:
    """The bounds as the parameter takes them: on its old grid, whole numbers, few digits."""
    old, step = float(parameter.low or 0), float(parameter.step or 0)
    if step and parameter.sampling == "linear":
        low, high = (old + step * count((bound - old) / step) for count, bound in ((_down, low), (_up, high)))
        low = low + step if low <= 0 < old else low
        high = high - step if parameter.kind == "float" and float(parameter.high or 0) < 1 <= high else high
    elif step:
        low, high = (
            old * step ** count(math.log(bound / old) / math.log(step)) for count, bound in ((_down, low), (_up, high))
        )
    if parameter.kind == "int":
        return max(round(low), 1) if old >= 1 else round(low), round(high)
    return float(f"{low:.{DIGITS}g}"), float(f"{high:.{DIGITS}g}")


def _down(steps: float) -> int:
    return math.floor(steps + 1e-9)


def _up(steps: float) -> int:
    return math.ceil(steps - 1e-9)
