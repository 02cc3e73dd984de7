"""Keeps Optuna's trials in memory and shows a sampler a bounded number, so that asking stays quick."""

from collections.abc import Container

from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

BEST = 50  # TPE models at most 25 good trials (optuna's default_gamma)


class Recent(InMemoryStorage):
    """Shows all unfinished trials, the best completed ones and the latest: `look_back` finished ones in all.

    A sampler's notes on a trial are dropped: the ledger does not hold them, so a replayed study would lack them.
    """

    def __init__(self, look_back: int) -> None:
        super().__init__()
        self._look_back = look_back

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """The trials a sampler may look at, by their numbers."""
        if deepcopy or states == (TrialState.WAITING,):
            return super().get_all_trials(study_id, deepcopy, states)
        trials = super().get_all_trials(study_id, deepcopy=False)
        if len(trials) > self._look_back:
            trials = self._bounded(trials, self.get_study_directions(study_id)[0])
        return trials if states is None else [trial for trial in trials if trial.state in states]

    def _bounded(self, trials: list[FrozenTrial], direction: StudyDirection) -> list[FrozenTrial]:
        finished = [trial for trial in trials if trial.state.is_finished() and trial.state != TrialState.FAIL]
        if len(finished) > self._look_back:
            sign = -1 if direction == StudyDirection.MAXIMIZE else 1
            ranked = sorted(
                (sign * trial.value, trial.number)
                for trial in finished
                if trial.state == TrialState.COMPLETE and trial.value is not None
            )
            best = {number for _, number in ranked[:BEST]}
            latest = {trial.number for trial in finished[-(self._look_back - BEST) :]}
            finished = [trial for trial in finished if trial.number in best or trial.number in latest]
        running = [trial for trial in trials if not trial.state.is_finished()]
        return sorted(finished + running, key=lambda trial: trial.number)

    def set_trial_system_attr(self, trial_id: int, key: str, value: object) -> None:
        """Let a sampler's note pass."""
