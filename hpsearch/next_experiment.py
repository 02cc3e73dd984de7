"""Writes the experiment that follows from a study's findings: ranges widened and narrowed, choices left out."""

from collections.abc import Iterable, Sequence
from typing import Any

from hpsearch.experiment import Experiment, Range
from hpsearch.report.findings import BoundHit, Finding, Gathered, NeverHelped
from hpsearch.report.new_bounds import narrowed, widened
from hpsearch.space import BATCH_SIZE, Value, Values


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
    low, high = widened(finding) if isinstance(finding, BoundHit) else narrowed(finding)
    said: dict[str, Any] = {"min": low, "max": high}
    plain_step = parameter.kind == "int" and parameter.step == 1
    if parameter.step is not None and (not plain_step or (own and own.step is not None)):
        said["step"] = parameter.step
    if parameter.sampling != "linear" or (own and own.sampling):
        said["sampling"] = parameter.sampling
    return said
