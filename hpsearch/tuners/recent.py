"""Keeps Optuna's trials in memory and shows a sampler a bounded number, so that asking stays quick."""

from bisect import insort
from collections import OrderedDict, defaultdict
from collections.abc import Container, Sequence
from copy import copy

from optuna.distributions import BaseDistribution
from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

BEST = 50  # TPE models at most 25 good trials (optuna's default_gamma)
GONE = create_trial(state=TrialState.FAIL)  # in the place of each trial that no sampler will look at again


class Recent(InMemoryStorage):
    """Shows all running trials, the latest `look_back` finished ones, and the best 50 that were completed.

    Those that are shown no more are let go of. Failed trials teach samplers nothing and are never shown. A sampler's
    notes on a trial are dropped: the ledger does not hold them, so a replayed study would lack them.
    """

    def __init__(self, look_back: int) -> None:
        super().__init__()
        self.ended = 0  # but for the failed ones; more than are shown
        self._running: set[int] = set()
        self._look_back, self._latest = look_back, OrderedDict[int, None]()
        self._best: list[tuple[float, int]] = []
        self._held: defaultdict[int, dict[str, tuple[float, BaseDistribution]]] = defaultdict(dict)

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """Begin a trial."""
        trial_id = super().create_new_trial(study_id, template_trial)
        self._running.add(trial_id)
        return trial_id

    def hold_trial_param(self, trial_id: int, name: str, point: float, distribution: BaseDistribution) -> None:
        """Set a parameter when the trial ends, or by `write_down`: one by one each costs a copy of all before it."""
        self._held[trial_id][name] = (point, distribution)

    def write_down(self) -> None:
        """Set every parameter that is held back."""
        for trial_id in list(self._held):
            self._fill(trial_id)

    def _fill(self, trial_id: int) -> None:
        trial = copy(self.get_trial(trial_id))
        held = self._held.pop(trial_id)
        points = {name: distribution.to_external_repr(point) for name, (point, distribution) in held.items()}
        trial.params = trial.params | points
        trial.distributions = trial.distributions | {name: distribution for name, (_, distribution) in held.items()}
        self._set_trial(trial_id, trial)

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """End a trial."""
        if trial_id in self._held:
            self._fill(trial_id)
        changed = super().set_trial_state_values(trial_id, state, values)
        if state.is_finished():
            self._running.discard(trial_id)
            if state != TrialState.FAIL:
                self.ended += 1
                self._latest[trial_id] = None
            if state == TrialState.COMPLETE and values:
                self._rank(trial_id, values[0])
            if len(self._latest) > self._look_back:
                self._let_go(self._latest.popitem(last=False)[0])
        return changed

    def _rank(self, trial_id: int, value: float) -> None:
        (direction,) = self.get_study_directions(0)
        insort(self._best, (-value if direction == StudyDirection.MAXIMIZE else value, trial_id))
        if len(self._best) > BEST:
            self._let_go(self._best.pop()[1])

    def _let_go(self, trial_id: int) -> None:
        """Hold no more of a trial than its number, unless it is shown."""
        if trial_id not in self._latest and trial_id not in {best for _, best in self._best}:
            self._set_trial(trial_id, GONE)

    def get_all_trials(
        self,
        study_id: int,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        """The trials a sampler may look at, by their numbers; all of them, also GONE ones, for who wants copies."""
        if deepcopy or states == (TrialState.WAITING,):
            return super().get_all_trials(study_id, deepcopy, states)
        shown = self._running.union(self._latest, (trial_id for _, trial_id in self._best))
        known = self._studies[study_id].trials  # the only study's: their numbers are their ids
        trials = [known[trial_id] for trial_id in sorted(shown)]
        return [trial for trial in trials if states is None or trial.state in states]

    def set_trial_system_attr(self, trial_id: int, key: str, value: object) -> None:
        """Let a sampler's note pass."""
