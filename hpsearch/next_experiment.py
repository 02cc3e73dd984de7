"""Writes the experiment that follows from a study's findings: ranges widened and narrowed, choices left out."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from hpsearch.experiment import Experiment, Range
from hpsearch.report.findings import BoundHit, Finding, Gathered, NeverHelped
from hpsearch.space import BATCH_SIZE, Parameter, Value, Values

FURTHER = 0.5  # of a range: by so much it is widened, and what the best trials cover is widened on both sides
FEW, EXACT = 3, 12  # digits of a bound; with more than twelve a step shows how it was added up


def next_experiment(
    experiment: Experiment, findings: Sequence[Finding], idle: Values, name: str, start_from: str | None = None
) -> dict[str, Any]:
    """The experiment as plain data, without defaults, under a new name, with [space] as the findings want it.

    `idle` are parameters of little matter, with the values they are fixed to; `start_from` is the study from whose best
    trials it starts; without one it starts from none, whatever the experiment itself started from.
    """
    said = experiment.model_dump(mode="json", exclude_defaults=True)
    said["name"] = name
    if start_from:
        said["search"] = {**said.get("search", {}), "start_from": start_from}
    else:
        said.get("search", {}).pop("start_from", None)
    space = {**said.pop("space", {}), **idle, **_choices(findings)}
    for finding in findings:
        if isinstance(finding, BoundHit | Gathered) and finding.parameter.name not in idle:
            space[finding.parameter.name] = _range(finding, experiment.space.get(finding.parameter.name))
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


def _range(finding: BoundHit | Gathered, wish: object) -> dict[str, Any]:
    """The new range. What it had of step and sampling by the experiment's wish is said, whatever it is.

    Left out, build_model's own would hold.
    """
    parameter, own = finding.parameter, wish if isinstance(wish, Range) else None
    low, high = _widened(finding) if isinstance(finding, BoundHit) else _narrowed(finding)
    said: dict[str, Any] = {"min": low, "max": high}
    plain_step = parameter.kind == "int" and parameter.step == 1
    if parameter.step is not None and (not plain_step or (own and own.step is not None)):
        said["step"] = parameter.step
    if parameter.sampling != "linear" or (own and own.sampling):
        said["sampling"] = parameter.sampling
    return said


def _widened(finding: BoundHit) -> tuple[float, float]:
    """The range, moved outwards at one end by half its width; never over 0, and a share never up to 1."""
    parameter = finding.parameter
    low, high = _bounds(parameter)
    linear = parameter.sampling == "linear"
    reach, factor = FURTHER * (high - low), 1.0 if linear else (high / low) ** FURTHER
    if finding.end == "low":
        further = low / factor if not linear else low - reach if low < 0 else max(low - reach, low / 2)
        return _fitted(parameter, further, high)
    further = high + reach if linear else high * factor
    return _fitted(parameter, low, min(further, (1 + high) / 2) if _is_share(parameter) else further)


def _narrowed(finding: Gathered) -> tuple[float, float]:
    """What the best trials cover, with half of that on either side, within the old range."""
    parameter = finding.parameter
    low, high = _bounds(parameter)
    if parameter.sampling == "linear":
        reach = max(FURTHER * (finding.high - finding.low), 0.05 * (high - low))
        inner = finding.low - reach, finding.high + reach
    else:
        factor = max(finding.high / finding.low, (high / low) ** 0.1) ** FURTHER
        inner = finding.low / factor, finding.high * factor
    fitted = _fitted(parameter, max(low, inner[0]), min(high, inner[1]))
    return max(low, fitted[0]), min(high, fitted[1])


def _bounds(parameter: Parameter) -> tuple[float, float]:
    return parameter.low or 0, parameter.high or 0


def _is_share(parameter: Parameter) -> bool:
    """Whether a number seems to be one that must stay below 1: a momentum, a dropout, but no learning rate."""
    return parameter.kind == "float" and parameter.sampling != "log" and 0 < _bounds(parameter)[1] < 1


def _fitted(parameter: Parameter, low: float, high: float) -> tuple[float, float]:
    """The bounds as the parameter takes them: on its grid, whole, or in few digits; one that did not move stays."""
    old_low, old_high = _bounds(parameter)
    new_low, new_high = _on_grid(parameter, low, high) if parameter.step else _short(parameter, low, high)
    if parameter.kind == "int":
        new_low, new_high = max(round(new_low), 1) if old_low >= 1 else round(new_low), round(new_high)
    too_high = _is_share(parameter) and new_high >= 1
    return old_low if low == old_low else new_low, old_high if high == old_high or too_high else new_high


def _on_grid(parameter: Parameter, low: float, high: float) -> tuple[float, float]:
    """The bounds, moved outwards to the next steps from the old lower one."""
    old, step = _bounds(parameter)[0], float(parameter.step or 0)
    if parameter.sampling == "linear":
        low, high = (old + step * count((bound - old) / step) for count, bound in ((_down, low), (_up, high)))
        low = low + step if low <= 0 < old else low
    else:
        low, high = (
            old * step ** count(math.log(bound / old) / math.log(step)) for count, bound in ((_down, low), (_up, high))
        )
    return float(f"{low:.{EXACT}g}"), float(f"{high:.{EXACT}g}")


def _short(parameter: Parameter, low: float, high: float) -> tuple[float, float]:
    """The bounds in few digits: three, or as many as it takes to move them by less than a hundredth of the range."""
    if parameter.sampling == "linear":
        rooms = (high - low, high - low)
    else:  # how wide the range is at its two ends, on its own scale; reverse_log is at its finest at the upper one
        rooms = (low * math.log(high / low), (high if parameter.sampling == "log" else low) * math.log(high / low))
    return _rounded(low, rooms[0] / 100), _rounded(high, rooms[1] / 100)


def _rounded(bound: float, tolerance: float) -> float:
    tried = (float(f"{bound:.{digits}g}") for digits in range(FEW, EXACT))
    return next((short for short in tried if abs(short - bound) < tolerance and not bound < 1 <= short), bound)


def _down(steps: float) -> int:
    return math.floor(steps + 1e-9)


def _up(steps: float) -> int:
    return math.ceil(steps - 1e-9)
