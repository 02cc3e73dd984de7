"""Optuna's samplers as tuners: one live optuna.Trial a trial, each value asked for while build_model runs.

Every draw has a sampler of its own, seeded by (study's seed, trial, parameter): what it gives depends on
the history alone, so that a replayed study goes on as if nothing had happened.
"""

import math
import warnings
from typing import TYPE_CHECKING

from hpsearch.options import whole
from hpsearch.protocols import Brief, Turn
from hpsearch.records import Answered, Asked
from hpsearch.seeds import derive
from hpsearch.space import Parameter, Value
from hpsearch.trial import Status, Trial, TrialResult

if TYPE_CHECKING:
    import optuna


LOOK_BACK = 1000
"""How many finished trials a sampler is shown: TPE's time grows with them, by some 25 ms for each thousand."""


class Sampled:
    """A tuner that asks one of Optuna's samplers; subclasses say which."""

    look_back = LOOK_BACK

    def sampler(self, seed: int) -> "optuna.samplers.BaseSampler":
        """A sampler of this tuner, seeded."""
        raise NotImplementedError

    def begin(self, brief: Brief) -> None:
        """Rebuild the study from the history, record by record, in its order."""
        import optuna

        from hpsearch.tuners.dimensions import Dimensions
        from hpsearch.tuners.recent import Recent

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._seed, self._dimensions, self._storage = brief.seed, Dimensions(), Recent(self.look_back)
        self._study = optuna.create_study(
            storage=self._storage,
            study_name="hpsearch",
            direction=brief.objective.direction,
            pruner=optuna.pruners.NopPruner(),
        )
        self._live: dict[int, optuna.Trial] = {}
        self._restore(brief)

    def _restore(self, brief: Brief) -> None:
        ended = {record.trial.number for record in brief.history if isinstance(record, TrialResult)}
        study = self._storage.get_study_id_from_name("hpsearch")
        for record in brief.history:
            match record:
                case Asked(trial) if trial.number in ended:
                    self._storage.create_new_trial(study)
                case Asked(trial):  # in flight: what its sampler would see now is what it saw then
                    self._storage.write_down()
                    self.ask(trial.number)
                case Answered(number, parameter, value) if parameter.kind != "fixed":
                    if number in self._live:  # its first value drew others with it, of which some may be still unasked
                        self.suggest(number, parameter)
                    self._note(number, parameter, value, hold=not self._live)
                case TrialResult(trial) if self._live:
                    self.tell(record)
                case TrialResult(trial):  # nobody draws: the storage can be written without Optuna's study
                    self._storage.set_trial_state_values(trial.number, *self._outcome(record))
        self._storage.write_down()

    def ask(self, number: int) -> Trial | Turn:
        """Begin an Optuna trial; its values are drawn as they are asked for."""
        self._draw_from(number)
        self._live[number] = self._study.ask()
        if (given := self._live[number].number) != number:
            message = f"trial {number} was asked for where {given} comes next"
            raise RuntimeError(message)
        return Trial(number)

    def suggest(self, number: int, parameter: Parameter) -> Value:
        """Draw a value inside the parameter."""
        if parameter.kind == "fixed":
            return parameter.default
        self._draw_from(number, parameter.name)
        name, laid = self._dimensions.of(parameter)
        value = laid.value(laid.suggest(self._live[number], name))
        self._note(number, parameter, value)
        return value

    def _draw_from(self, *words: object) -> None:
        self._study.sampler = self.sampler(derive(self._seed, "optuna", *words))

    def _note(self, number: int, parameter: Parameter, value: Value, *, hold: bool = False) -> None:
        # Written live too, where Optuna has written already: the way out and back may cost a float its last bit.
        name, laid = self._dimensions.of(parameter)
        if (point := laid.point(value)) is not None:
            write = self._storage.hold_trial_param if hold else self._storage.set_trial_param
            write(number, name, point, laid.distribution)

    def note(self, number: int, parameter: Parameter, value: Value) -> None:
        """Take this value in the place of one that is drawn all the same, as it is when the study is replayed."""
        self.suggest(number, parameter)
        self._note(number, parameter, value)

    def tell(self, result: TrialResult) -> None:
        """Hand on the outcome: a pruned trial ranks behind completed ones, by its score."""
        from optuna.trial import TrialState

        number = result.trial.number
        self._live.pop(number, None)
        state, values = self._outcome(result)
        self._study.tell(number, values[0] if values and state == TrialState.COMPLETE else None, state=state)

    def _outcome(self, result: TrialResult) -> tuple["optuna.trial.TrialState", list[float] | None]:
        from optuna.trial import TrialState

        if result.score is None or not math.isfinite(result.score):
            return TrialState.FAIL, None
        match result.status:
            case Status.COMPLETED:
                return TrialState.COMPLETE, [result.score]
            case Status.PRUNED:  # TPE takes its last intermediate value, and ranks by that one's step first
                self._storage.set_trial_intermediate_value(result.trial.number, 0, result.score)
                return TrialState.PRUNED, [result.score]
        return TrialState.FAIL, None

    def close(self) -> None:
        """Nothing is held."""


class Random(Sampled):
    """Uniform random search."""

    def sampler(self, seed: int) -> "optuna.samplers.BaseSampler":
        """Optuna's RandomSampler."""
        import optuna

        return optuna.samplers.RandomSampler(seed=seed)


class TPE(Sampled):
    """Tree-structured Parzen estimator (Bergstra et al. 2011), multivariate, for conditional spaces too.

    The first trial takes the defaults that build_model names, unless `defaults_first` is False or `start_from` names a
    study: they are what its author holds for good, and the rest is compared with them. The other `startup_trials` are
    random; each draw takes the best of `candidates`; the latest `look_back` finished trials and the best 50 of all are
    modelled.
    """

    def __init__(
        self, startup_trials: int = 10, candidates: int = 24, look_back: int = LOOK_BACK, *, defaults_first: bool = True
    ) -> None:
        if not isinstance(defaults_first, bool):
            message = f"defaults_first is true or false, not {defaults_first!r}"
            raise ValueError(message)  # noqa: TRY004  wrong options are ValueErrors here
        self.startup_trials = whole("startup_trials", startup_trials, 0)
        self.candidates = whole("candidates", candidates, 1)
        self.look_back = whole("look_back", look_back, 1)
        self.defaults_first = defaults_first

    def idle(self, brief: Brief) -> str:
        """It learns from none where all are those that it begins with."""
        if brief.trials is None or brief.trials > self.startup_trials:
            return ""
        are = "the defaults and random ones" if self.defaults_first else "random ones"
        return f"the first {self.startup_trials} (startup_trials) are {are}, and there are {brief.trials}"

    def suggest(self, number: int, parameter: Parameter) -> Value:
        """The default for the first trial, else a draw inside the parameter."""
        if number == 0 and self.defaults_first and _has_usable_default(parameter):
            self._note(number, parameter, parameter.default)
            return parameter.default
        return super().suggest(number, parameter)

    def sampler(self, seed: int) -> "optuna.samplers.BaseSampler":
        """Optuna's TPESampler, its groups following the conditions of the space."""
        import optuna

        begun = self._storage.ended >= self.startup_trials  # Optuna would count those that it is shown
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # group=True is one, since 2.8
            return optuna.samplers.TPESampler(
                n_startup_trials=0 if begun else self.startup_trials,
                n_ei_candidates=self.candidates,
                multivariate=True,
                group=True,
                constant_liar=True,
                seed=seed,
            )


def _has_usable_default(parameter: Parameter) -> bool:
    return parameter.kind != "fixed" and parameter.contains(parameter.default)
