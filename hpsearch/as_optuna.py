"""Makes an Optuna study of a study's facts, in memory, for what Optuna can tell of it: importance, plots, dashboards.

It holds the values as people know them, where a tuner's own study (`tuners.axis`) holds places on an axis.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hpsearch.objective import Objective
from hpsearch.space import FEW_RANGES, Parameter, Value, Values
from hpsearch.trial import Status

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution

    from hpsearch.report.facts import Facts, TrialFacts


def optuna_study(facts: "Facts") -> "optuna.Study":
    """The study with all trials, for whatever Optuna offers."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)  # it would announce the study on standard error
    study = optuna.create_study(
        storage=optuna.storages.InMemoryStorage(),
        study_name=facts.name,
        direction=Objective.parse(facts.objective).direction,
        sampler=optuna.samplers.RandomSampler(seed=0),
        pruner=optuna.pruners.NopPruner(),
    )
    study.add_trials(frozen_trials(facts))
    return study


def plain_name(shown: str) -> str:
    """A parameter's own name, of the one under which its values stand; see `frozen_trials`."""
    return re.sub(r" \(\d+\)$", "", shown)


def frozen_trials(facts: "Facts") -> "list[optuna.trial.FrozenTrial]":
    """All trials under their own numbers, each with what varies, its scores epoch by epoch and how it ended.

    A trial without a finite score has failed in Optuna's eyes; one that was asked for or interrupted waits.
    Parameters that were asked for in several ways stand under several names: Optuna takes one distribution a name. But
    of more than five ranges on one scale each hangs on another value, and they are one parameter over all of them.
    """
    objective, names = Objective.parse(facts.objective), _Names(facts.parameters)
    trials = sorted(facts.trials, key=lambda one: one.number)
    return [_frozen(trial, objective, *names.drawn(trial.values, trial.variants)) for trial in trials]


class _Names:
    """Knows under which name, and by which distribution, a value stands."""

    def __init__(self, parameters: tuple[Parameter, ...]) -> None:
        self._variants: dict[str, list[tuple[str, BaseDistribution]]] = {}
        shown: dict[str, dict[Parameter, str]] = {}
        for parameter, whole in zip(parameters, _joined(parameters), strict=True):
            names = shown.setdefault(parameter.name, {})
            name = parameter.name if not names else f"{parameter.name} ({len(names) + 1})"
            known = self._variants.setdefault(parameter.name, [])
            known.append((names.setdefault(whole, name), _distribution(whole)))

    def drawn(self, values: Values, variants: dict[str, int | None]) -> tuple[Values, dict[str, "BaseDistribution"]]:
        """A trial's values and their distributions; what was fixed, or lies outside its distribution, is left out."""
        kept: Values = {}
        distributions = {}
        for name, value in values.items():
            place = variants.get(name, 0)
            if name not in self._variants or place is None:
                continue
            shown, distribution = self._variants[name][place]
            if _holds(distribution, value):
                kept[shown], distributions[shown] = value, distribution
        return kept, distributions


def _joined(parameters: Sequence[Parameter]) -> list[Parameter]:
    """The parameters, but for ranges of which a name has more than five on one scale: the one that covers them all."""
    ranges: dict[object, list[Parameter]] = {}
    for one in parameters:
        ranges.setdefault((one.name, one.kind, one.sampling), []).append(one)
    joint = {}
    for scale, many in ranges.items():
        ends = [end for one in many for end in (one.low, one.high) if end is not None]
        if len(many) > FEW_RANGES and ends:
            joint[scale] = replace(many[0], low=min(ends), high=max(ends), step=None)
    return [joint.get((one.name, one.kind, one.sampling), one) for one in parameters]


def _holds(distribution: "BaseDistribution", value: Value) -> bool:
    try:
        return distribution._contains(distribution.to_internal_repr(value))  # noqa: SLF001  # Optuna has no public way
    except ValueError:  # no such category, or no number
        return False


def _distribution(parameter: Parameter) -> "BaseDistribution":
    """The parameter as Optuna knows it: a reverse logarithm becomes a plain range, a geometric grid a logarithm."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    low, high, log = parameter.low, parameter.high, parameter.sampling == "log"
    if parameter.kind in {"choice", "boolean"} or low is None or high is None:
        return CategoricalDistribution(parameter.choices or (False, True))
    step = None if parameter.sampling != "linear" else parameter.step
    if parameter.kind == "int":
        whole = int(step or 1)
        return IntDistribution(int(low), int(low + (high - low) // whole * whole), log=log, step=whole)
    if step:  # 1e-8: KerasTuner's allowance for a step that does not quite come to the end
        high = float(f"{low + int((high - low) / step + 1e-8) * step:.12g}")
    return FloatDistribution(float(low), float(high), log=log, step=step)


def _frozen(
    trial: "TrialFacts", objective: Objective, params: Values, distributions: dict[str, "BaseDistribution"]
) -> "optuna.trial.FrozenTrial":
    from optuna.trial import FrozenTrial, TrialState

    state = _state(trial)
    return FrozenTrial(
        number=trial.number,
        trial_id=trial.number,
        state=state,
        value=trial.score if state in {TrialState.COMPLETE, TrialState.PRUNED} else None,
        datetime_start=_when(trial.began or 0),
        datetime_complete=_when(trial.ended or trial.began or 0) if state.is_finished() else None,
        params=params,
        distributions=distributions,
        user_attrs=_attributes(trial),
        system_attrs={},
        intermediate_values={
            epoch: value for epoch, value in trial.curves.get(objective.metric, []) if math.isfinite(value)
        },
    )


def _state(trial: "TrialFacts") -> "optuna.trial.TrialState":
    from optuna.trial import TrialState

    if not trial.over:
        return TrialState.RUNNING if trial.status == Status.RUNNING else TrialState.WAITING
    if trial.status == Status.FAILED or trial.score is None or not math.isfinite(trial.score):
        return TrialState.FAIL
    return TrialState.COMPLETE if trial.status == Status.COMPLETED else TrialState.PRUNED


def _when(time_ms: int) -> datetime:
    """Optuna keeps local time without a zone."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).astimezone().replace(tzinfo=None)


def _attributes(trial: "TrialFacts") -> dict[str, Any]:
    """What Optuna has no field for, as JSON knows it."""
    known: dict[str, Any] = {"status": trial.status, "seconds": trial.seconds}
    known |= {"best_epoch": trial.best_epoch} if trial.best_epoch else {}
    known |= {"reason": trial.reason} if trial.reason else {}
    known |= {"failure": f"{trial.failure.kind}: {trial.failure.message}"} if trial.failure else {}
    return known | {name: value for name, value in trial.metrics.items() if math.isfinite(value)}
