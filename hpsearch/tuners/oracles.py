"""The inside of the oracle's process: KerasTuner's oracles, fed with the space and the history."""

import math
from collections import defaultdict
from typing import Any

import keras_tuner as kt
from keras_tuner.engine.trial import TrialStatus
from keras_tuner.oracles import GridSearchOracle, RandomSearchOracle

from hpsearch.grid import fits
from hpsearch.protocols import Brief, Turn
from hpsearch.records import Answered, Asked
from hpsearch.seeds import derive
from hpsearch.space import Parameter, Value, Values
from hpsearch.trial import Status, Trial, TrialResult
from hpsearch.worker.hp import to_keras_tuner


class _Space(kt.HyperParameters):  # type: ignore[misc]  # keras_tuner has no types
    """A space whose copies, one a trial, share its parameters, which nobody changes.

    KerasTuner's own `copy` writes each of them out and reads it back: the most part of what a trial costs.
    """

    def copy(self) -> "_Space":
        """The same parameters under values of its own."""
        twin = _Space()
        twin._hps.update((name, list(alike)) for name, alike in self._hps.items())
        twin._space, twin.values = list(self._space), dict(self.values)
        return twin


class _Random(RandomSearchOracle):  # type: ignore[misc]  # keras_tuner has no types
    """Draws each trial from a seed of its own, or takes up the values that a replayed one had."""

    study_seed = 0
    replayed: Values | None = None

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """The trial's values; KerasTuner counts `_seed_state` up from one draw to the next."""
        if self.replayed is not None:
            return {"status": TrialStatus.RUNNING, "values": dict(self.replayed)}
        self._seed_state = derive(self.study_seed, "keras-tuner", int(trial_id))
        response: dict[str, Any] = super().populate_space(trial_id)
        return response

    def _record_values(self, trial: Any) -> None:
        """Have what the trial was planned with count as tried no longer, unless another one has it."""
        planned = self._id_to_hash[trial.trial_id]
        super()._record_values(trial)
        if planned not in self._tried_so_far and planned in self._id_to_hash.values():
            self._tried_so_far.add(planned)

    def save(self) -> None:
        """Write nothing: the ledger holds the history."""

    def _save_trial(self, trial: Any) -> None:
        """Write nothing, as above."""

    def _check_consecutive_failures(self) -> None:
        """Let them fail: the search counts failures, and this one looks through all trials each time."""


class _Grid(GridSearchOracle):  # type: ignore[misc]  # keras_tuner has no types
    """Writes nothing; a grid is replayed by asking it again."""

    study_seed = 0
    replayed: Values | None = None

    def save(self) -> None:
        """Write nothing: the ledger holds the history."""

    def _save_trial(self, trial: Any) -> None:
        """Write nothing, as above."""

    def _check_consecutive_failures(self) -> None:
        """Let them fail: the search counts failures, and this one looks through all trials each time."""


class Mind:
    """One oracle, spoken to in hpsearch's nouns."""

    def __init__(self, kind: str, brief: Brief) -> None:
        """Bring the oracle to where an undisturbed one would be."""
        space = _Space()
        space.merge([to_keras_tuner(parameter) for parameter in brief.space])
        self._kind, self._seed, self._metric = kind, brief.seed, brief.objective.metric
        self._oracle = (_Random if kind == "random" else _Grid)(
            objective=kt.Objective(brief.objective.metric, brief.objective.goal),
            max_trials=None,
            hyperparameters=space,
        )
        self._oracle.verbose = 0
        self._oracle.study_seed = brief.seed
        self._known: defaultdict[str, list[Parameter]] = defaultdict(list)
        for parameter in brief.space:
            self._known[parameter.name].append(parameter)
        self._replay(brief)

    def _replay(self, brief: Brief) -> None:
        for record in brief.history:
            match record:
                case Asked(trial):
                    self._oracle.replayed = {name: self._raw(name, value) for name, value in trial.values.items()}
                    self.ask(trial.number)
                case Answered(number, parameter, value) if parameter.kind != "fixed":  # these nobody asks a tuner for
                    self.note(number, parameter, value)
                case TrialResult():
                    self.tell(record)
        self._oracle.replayed = None

    def ask(self, number: int) -> Trial | Turn:
        """The next trial, or that there is none now, or none any more."""
        asked = self._oracle.create_trial(f"trial {number}")
        match asked.status:
            case TrialStatus.IDLE:
                return Turn.WAIT
            case TrialStatus.STOPPED:
                return Turn.DONE
        values = asked.hyperparameters.values
        return Trial(number, {name: self._plain(name, value, values) for name, value in values.items()})

    def _plain(self, name: str, value: Any, values: Values) -> Value:
        inside = (inside_of(parameter, value) for parameter in self._known[name] if parameter.active(values))
        return next((plain for plain in inside if plain is not None), value)

    def _raw(self, name: str, value: Value) -> Any:
        # KerasTuner's Choice turns True into 1, and what was tried is remembered by how it is written.
        return int(value) if isinstance(value, bool) and self._known[name][0].kind == "choice" else value

    def suggest(self, number: int, parameter: Parameter) -> Value:
        """The planned value where it lies inside the parameter, else one by the oracle's own rule."""
        planned = self._trial(number).hyperparameters.values.get(parameter.name)
        value = None if planned is None else inside_of(parameter, planned)
        if value is None:
            value = self._by_own_rule(number, parameter)
        self.note(number, parameter, value)
        return value

    def _by_own_rule(self, number: int, parameter: Parameter) -> Value:
        if self._kind == "grid":
            return parameter.default
        seed = derive(self._seed, "keras-tuner", number, parameter.name)
        value = inside_of(parameter, to_keras_tuner(parameter).random_sample(seed))
        return parameter.default if value is None else value

    def note(self, number: int, parameter: Parameter, value: Value) -> None:
        """Have the trial hold this value; add a name that the oracle did not know to its space.

        A grid's trial keeps a value that the oracle gave it, because the next combination follows from that one.
        """
        if parameter not in self._known[parameter.name]:
            self._known[parameter.name].append(parameter)
        held = self._trial(number).hyperparameters
        planned = parameter.name in held.values
        if not (planned and self._kind == "grid"):
            held.values[parameter.name] = self._raw(parameter.name, value)
        if planned:
            return
        met = to_keras_tuner(parameter)
        held.merge([met], overwrite=False)
        found = kt.HyperParameters()
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
        # KerasTuner would draw what is active and missing without a seed.
        for hp in held.space:
            if held.is_active(hp) and hp.name not in held.values:
                seed = derive(self._seed, "keras-tuner", number, hp.name)
                held.values[hp.name] = hp.default if self._kind == "grid" else hp.random_sample(seed)

    def _trial(self, number: int) -> Any:
        return self._oracle.trials[self._oracle.start_order[number]]


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
