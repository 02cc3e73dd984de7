"""The inside of the oracle's process: KerasTuner's oracles, fed with the space and the history."""

import math
from dataclasses import replace
from typing import Any

import keras_tuner as kt
from keras_tuner.engine.hyperparameters import Fixed
from keras_tuner.engine.trial import TrialStatus

from hpsearch.errors import ExperimentRefused, Mistake
from hpsearch.grid import count
from hpsearch.protocols import Brief, Turn
from hpsearch.records import Answered, Asked
from hpsearch.seeds import derive
from hpsearch.space import Parameter, Value, Values
from hpsearch.trial import Status, Trial, TrialResult
from hpsearch.tuners.oracle_names import Names
from hpsearch.tuners.oracle_values import alike, grid_of, in_place_of, inside_of, startable, written
from hpsearch.tuners.tamed import GridOracle, RandomOracle, Space
from hpsearch.worker.hp import to_keras_tuner

DRAWS = 21  # as KerasTuner draws before it holds a space for exhausted
MOST = 100_000  # values of one parameter in a grid, which would never end


def _countable(parameter: Parameter) -> Parameter:
    """The parameter with each choice once, as KerasTuner's grid ends at one that comes twice; it lists all values."""
    if parameter.step and (many := count(parameter)) > MOST:
        what = f"keras-tuner.grid would try {many} values of {parameter.name!r}"
        raise ExperimentRefused([Mistake("search.tuner", what, "list fewer in [space], or take another tuner")])
    return replace(parameter, choices=tuple(dict.fromkeys(parameter.choices)))


class Mind:
    """One oracle, spoken to in hpsearch's nouns."""

    def __init__(self, kind: str, brief: Brief) -> None:
        """Bring the oracle to where an undisturbed one would be."""
        self._kind, self._seed, self._metric = kind, brief.seed, brief.objective.metric
        self._names, self._takes = Names(), dict[str, Parameter]()
        self._oracle = (RandomOracle if kind == "random" else GridOracle)(
            objective=kt.Objective(brief.objective.metric, brief.objective.goal),
            max_trials=None,
            hyperparameters=Space(),
        )
        self._oracle.verbose = 0
        self._oracle.study_seed = brief.seed
        for parameter in brief.space:
            self._known(parameter)
        self._replay(brief)

    def _known(self, parameter: Parameter) -> Any:
        """What the oracle's space has for the parameter; it is added where there is nothing, or what a branch fixes."""
        first, space = self._names.first(parameter), self._oracle.hyperparameters
        name = self._names.of(first)
        known = space.named(name)
        if known is None or (isinstance(known, Fixed) and first.kind != "fixed"):
            own = replace(startable(first), name=name, conditions=self._names.in_scope(first))
            if self._kind == "grid":
                own = _countable(own)
            space.take(to_keras_tuner(own))
            self._takes[name] = first
            if known is not None:
                for trial in self._oracle.trials.values():
                    trial.hyperparameters.values.pop(name, None)  # nobody asked for it
                self._oracle.look_again()
        return space.named(name)

    def _open(self, trial: Any, known: Any) -> None:
        """Have a trial hold a parameter that it was not planned with: its name surfaced since, or its scope is open.

        Where a scope hangs on a name that several branches ask for or fix, the oracle plans what is in it for one of
        them alone. It learns otherwise when a trial asks; from then on it combines what is in there with all values of
        that name, as under a plain if. Only the whole trial would tell which branch it is.
        """
        trial.hyperparameters.share(known)
        kept = [one for one in known.conditions if self._may_hold(one, trial.hyperparameters.values)]
        if kept != known.conditions:
            known.conditions = kept
            self._oracle.look_again()

    def _may_hold(self, condition: Any, values: Values) -> bool:
        """Whether a trial has the parent that a condition names, and what the oracle plans for that one may meet it."""
        return condition.name in values and any(map(self._takes[condition.name].contains, condition.values))

    def _replay(self, brief: Brief) -> None:
        """Ask again, which plans the same values again, and hear again what was answered and how it ended."""
        for record in brief.history:
            match record:
                case Asked(trial):
                    if isinstance(self.ask(trial.number), Turn):
                        self._begin_unplanned(trial.number)
                case Answered(number, parameter, value) if parameter.kind != "fixed":  # these nobody asks a tuner for
                    self.note(number, parameter, value)
                case TrialResult():
                    self.tell(record)

    def _begin_unplanned(self, number: int) -> None:
        """Begin a trial that was planned once and would not be now: it holds what was answered."""
        self._oracle.plans = False
        self._oracle.create_trial(f"trial {number}")
        self._oracle.plans = True

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
        """The planned value, else one by the oracle's own rule; a name that it did not know is added to its space."""
        name, trial, known = self._names.of(parameter), self._trial(number), self._known(parameter)
        planned = trial.hyperparameters.values.get(name)
        if planned is None:
            self._open(trial, known)
        first = self._names.first(parameter)
        if self._kind == "grid":
            planned = trial.hyperparameters.values.setdefault(name, startable(first).default)
            return in_place_of(first, parameter, planned)
        value = None if planned is None else inside_of(parameter, planned)
        if value is None or not alike(first, parameter):
            value = self._drawn(number, parameter, value)
            self._oracle.hold(trial, name, written(parameter, value))
        return value

    def _drawn(self, number: int, parameter: Parameter, planned: Value | None) -> Value:
        """A value drawn from the range that this trial has; if it can be, one that makes a point not tried yet.

        What was planned, where it lies inside, comes last: from then on no plan leads to this range any more.
        """
        trial, name, hp = self._trial(number), self._names.of(parameter), to_keras_tuner(parameter)
        value = startable(parameter).default
        for again in range(DRAWS):
            drawn = inside_of(parameter, hp.random_sample(derive(self._seed, "keras-tuner", number, name, again)))
            value = value if drawn is None else drawn
            if self._oracle.is_new(trial, name, written(parameter, value)):
                return value
        self._oracle.leave_plan(trial)
        return value if planned is None else planned

    def note(self, number: int, parameter: Parameter, value: Value) -> None:
        """Have the trial hold this value.

        A grid's trial holds a value of the range that the oracle knows: the next combination follows from that one.
        """
        first, held = self._names.first(parameter), written(parameter, value)
        known = self._kind == "random" or (alike(first, parameter) and held in grid_of(first))
        if self.suggest(number, parameter) != value and known:
            self._oracle.hold(self._trial(number), self._names.of(parameter), held)

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
        # What build_model did not come to ask for belongs to what was tried, too; and so does what it asked for alone,
        # which is all that a later trial has when it looks for a new point.
        for hp in held.space:
            if held.is_active(hp) and hp.name not in held.values:
                seed = derive(self._seed, "keras-tuner", number, hp.name)
                if self._kind == "random":
                    self._oracle.leave_plan(self._trial(number))
                held.values[hp.name] = hp.default if self._kind == "grid" else hp.random_sample(seed)

    def _trial(self, number: int) -> Any:
        return self._oracle.trials[self._oracle.start_order[number]]
