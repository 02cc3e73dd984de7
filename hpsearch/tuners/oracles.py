"""The inside of the oracle's process: KerasTuner's oracles, fed with the space and the history."""

import math
from collections import defaultdict
from dataclasses import replace
from typing import Any

import keras_tuner as kt
from keras_tuner.engine.trial import TrialStatus

from hpsearch.grid import at, fits
from hpsearch.protocols import Brief, Turn
from hpsearch.records import Answered, Asked
from hpsearch.seeds import derive
from hpsearch.space import Condition, Parameter, Value
from hpsearch.trial import Status, Trial, TrialResult
from hpsearch.tuners.tamed import GridOracle, RandomOracle, Space
from hpsearch.worker.hp import to_keras_tuner


class _Names:
    """Gives each parameter a name of its own in the oracle's space.

    KerasTuner keeps one value for a name, and drops it where one of that name's conditions does not hold, though
    another one's does; then it draws it anew, without a seed.
    """

    def __init__(self) -> None:
        self._known: defaultdict[str, list[Parameter]] = defaultdict(list)

    def of(self, parameter: Parameter) -> str:
        """The parameter's name, or a numbered one where an earlier parameter of that name was another."""
        known = self._known[parameter.name]
        if parameter not in known:
            known.append(parameter)
        return self._numbered(parameter.name, known.index(parameter))

    def in_scope(self, parameter: Parameter) -> tuple[Condition, ...]:
        """The parameter's conditions, on the parents that are asked for in its own scope."""
        return tuple(replace(one, name=self._parent(one.name, parameter)) for one in parameter.conditions)

    def _parent(self, name: str, child: Parameter) -> str:
        known = self._known[name]
        around = [one for one in known if set(one.conditions) <= set(child.conditions)]
        return self._numbered(name, known.index(max(around, key=lambda one: len(one.conditions))) if around else 0)

    @staticmethod
    def _numbered(name: str, place: int) -> str:
        return f"{name}\x1f{place}" if place else name


class Mind:
    """One oracle, spoken to in hpsearch's nouns."""

    def __init__(self, kind: str, brief: Brief) -> None:
        """Bring the oracle to where an undisturbed one would be."""
        self._kind, self._seed, self._metric = kind, brief.seed, brief.objective.metric
        self._names, space = _Names(), Space()
        space.merge([self._known_to_oracle(parameter) for parameter in brief.space])
        self._oracle = (RandomOracle if kind == "random" else GridOracle)(
            objective=kt.Objective(brief.objective.metric, brief.objective.goal),
            max_trials=None,
            hyperparameters=space,
        )
        self._oracle.verbose = 0
        self._oracle.study_seed = brief.seed
        self._replay(brief)

    def _known_to_oracle(self, parameter: Parameter) -> Any:
        own = replace(_startable(parameter), name=self._names.of(parameter), conditions=self._names.in_scope(parameter))
        return to_keras_tuner(own)

    def _replay(self, brief: Brief) -> None:
        """Ask again, which plans the same values again, and hear again what was answered and how it ended."""
        for record in brief.history:
            match record:
                case Asked(trial):
                    self.ask(trial.number)
                case Answered(number, parameter, value) if parameter.kind != "fixed":  # these nobody asks a tuner for
                    self.note(number, parameter, value)
                case TrialResult():
                    self.tell(record)

    def ask(self, number: int) -> Trial | Turn:
        """Plan the next trial, or say that there is none now, or none any more."""
        asked = self._oracle.create_trial(f"trial {number}")
        match asked.status:
            case TrialStatus.IDLE:
                return Turn.WAIT
            case TrialStatus.STOPPED:
                return Turn.DONE
        return Trial(number)

    def suggest(self, number: int, parameter: Parameter) -> Value:
        """The planned value where it lies inside the parameter, else one by the oracle's own rule."""
        planned = self._trial(number).hyperparameters.values.get(self._names.of(parameter))
        value = None if planned is None else inside_of(parameter, planned)
        if value is None:
            value = self._by_own_rule(number, parameter)
        self.note(number, parameter, value)
        return value

    def _by_own_rule(self, number: int, parameter: Parameter) -> Value:
        start = _startable(parameter).default
        if self._kind == "grid":
            return start
        seed = derive(self._seed, "keras-tuner", number, parameter.name)
        value = inside_of(parameter, to_keras_tuner(parameter).random_sample(seed))
        return start if value is None else value

    def note(self, number: int, parameter: Parameter, value: Value) -> None:
        """Have the trial hold this value; add a parameter that the oracle did not know to its space.

        A grid's trial keeps a value that the oracle gave it, because the next combination follows from that one.
        """
        name, held = self._names.of(parameter), self._trial(number).hyperparameters
        planned = name in held.values
        if not (planned and self._kind == "grid"):
            # KerasTuner's Choice turns True into 1, and what was tried is remembered by how it is written.
            held.values[name] = int(value) if isinstance(value, bool) and parameter.kind == "choice" else value
        if planned:
            return
        met, found = self._known_to_oracle(parameter), kt.HyperParameters()
        held.merge([met], overwrite=False)
        found.merge([met])
        self._oracle.update_space(found)

    def tell(self, result: TrialResult) -> None:
        """End the oracle's trial: with its best score if it has one (a pruned trial, too), else as failed."""
        trial, score = self._trial(result.trial.number), result.score
        scored = score is not None and math.isfinite(score) and result.status is not Status.FAILED
        if scored:
            self._oracle.update_trial(trial.trial_id, {self._metric: score})
        trial.status = TrialStatus.COMPLETED if scored else TrialStatus.FAILED
        self._fill(result.trial.number, trial.hyperparameters)
        self._oracle.end_trial(trial)

    def _fill(self, number: int, held: Any) -> None:
        # What build_model did not come to ask for belongs to what was tried, too.
        for hp in held.space:
            if held.is_active(hp) and hp.name not in held.values:
                seed = derive(self._seed, "keras-tuner", number, hp.name)
                held.values[hp.name] = hp.default if self._kind == "grid" else hp.random_sample(seed)

    def _trial(self, number: int) -> Any:
        return self._oracle.trials[self._oracle.start_order[number]]


def _startable(parameter: Parameter) -> Parameter:
    """The parameter with a default that it can take: a grid begins with it."""
    if parameter.kind not in {"int", "float"} or parameter.low is None or parameter.contains(parameter.default):
        return parameter
    return replace(parameter, default=at(parameter, 0) if parameter.step else parameter.low)


def inside_of(parameter: Parameter, value: Any) -> Value | None:
    """The value as the parameter itself writes it (KerasTuner gives 64.0 for 64, 1 for True); None if it has none."""
    if parameter.kind in {"choice", "boolean"}:
        return next((choice for choice in parameter.choices if choice == value), None)
    if parameter.kind == "fixed":
        return parameter.default
    if parameter.low is None or parameter.high is None or isinstance(value, bool | str):
        return None
    number = round(value) if parameter.kind == "int" else float(value)
    slack = 1e-9 * max(abs(parameter.low), abs(parameter.high))  # a float may be drawn beyond its range by its last bit
    if not parameter.low - slack <= number <= parameter.high + slack:
        return None
    inside = min(max(number, type(number)(parameter.low)), type(number)(parameter.high))
    return inside if fits(parameter, inside) else None
