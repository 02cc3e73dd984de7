"""KerasTuner's oracles, so that they write nothing, draw nothing without a seed, and bear names that surface later."""

from typing import Any

import keras_tuner as kt
from keras_tuner.oracles import GridSearchOracle, RandomSearchOracle

from hpsearch.seeds import derive


class Space(kt.HyperParameters):  # type: ignore[misc]  # keras_tuner has no types
    """A space whose copies, one a trial, share its parameters, which nobody changes, and draw nothing by themselves."""

    def copy(self) -> "Space":
        """The same parameters under values of its own.

        KerasTuner's own `copy` writes each of them out and reads it back: the most part of what a trial costs.
        """
        twin = Space()
        twin._hps.update((name, list(alike)) for name, alike in self._hps.items())
        twin._space, twin.values = list(self._space), dict(self.values)
        return twin

    def ensure_active_values(self) -> None:
        """Drop what is not active; what is missing KerasTuner would draw here, without a seed."""
        for hp in self.space:
            if not self.is_active(hp):
                self.values.pop(hp.name, None)


class _Quiet:
    """Writes nothing, since the ledger holds the history, and lets trials fail, which the search counts."""

    def save(self) -> None:
        """Write nothing."""

    def _save_trial(self, trial: Any) -> None:
        """Write nothing."""

    def _check_consecutive_failures(self) -> None:
        """Let them fail: KerasTuner looks through all trials each time."""


class RandomOracle(_Quiet, RandomSearchOracle):  # type: ignore[misc]  # keras_tuner has no types
    """Draws each trial from a seed of its own."""

    study_seed = 0

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """The trial's values; KerasTuner counts `_seed_state` up from one draw to the next."""
        self._seed_state = derive(self.study_seed, "keras-tuner", int(trial_id))
        response: dict[str, Any] = super().populate_space(trial_id)
        return response

    def _record_values(self, trial: Any) -> None:
        """Have what the trial was planned with count as tried no longer, unless another one has it."""
        planned = self._id_to_hash[trial.trial_id]
        super()._record_values(trial)
        if planned not in self._tried_so_far and planned in self._id_to_hash.values():
            self._tried_so_far.add(planned)


class GridOracle(_Quiet, GridSearchOracle):  # type: ignore[misc]  # keras_tuner has no types
    """Goes from one combination to the next. What surfaced after a trial was planned has its default there."""

    study_seed = 0

    def _get_next_combination(self, values: dict[str, Any]) -> dict[str, Any] | None:
        """The next one, with the values of the active parameters."""
        combination: dict[str, Any] | None = super()._get_next_combination(self._whole(values))
        return combination

    def _compare(self, a: dict[str, Any], b: dict[str, Any]) -> int:
        """Which of two comes first."""
        order: int = super()._compare(self._whole(a), self._whole(b))
        return order

    def _whole(self, values: dict[str, Any]) -> dict[str, Any]:
        space = self.get_space()
        space.values = dict(values)
        for hp in space.space:
            if space.is_active(hp):
                space.values.setdefault(hp.name, hp.default)
        return dict(space.values)
