"""KerasTuner's oracles, so that they write nothing, draw nothing without a seed, and bear names that surface later."""

from functools import cmp_to_key
from typing import Any

import keras_tuner as kt
from keras_tuner.engine.trial import TrialStatus
from keras_tuner.oracles import GridSearchOracle, RandomSearchOracle
from keras_tuner.src.tuners.gridsearch import LinkedList

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

    def named(self, name: str) -> Any:
        """The parameter of this name, of which there is one; None if there is none."""
        return next(iter(self._hps.get(name, ())), None)

    def take(self, hp: Any) -> None:
        """Have a new parameter, or have it in the place of the one of its name, under the conditions of that one."""
        if (known := self.named(hp.name)) is None:
            self.merge([hp])
            return
        hp.conditions = known.conditions
        self.values.update({hp.name: hp.default} if hp.name in self.values else {})
        self._hps[hp.name] = [hp]
        self._space[self._space.index(known)] = hp

    def share(self, hp: Any) -> None:
        """Have a parameter of another space, unless it has one of that name."""
        if self.named(hp.name) is None:
            self._hps[hp.name].append(hp)
            self._space.append(hp)

    def ensure_active_values(self) -> None:
        """Drop what is not active; what is missing KerasTuner would draw here, without a seed."""
        for hp in self.space:
            if not self.is_active(hp):
                self.values.pop(hp.name, None)


class _Quiet:
    """Writes nothing, since the ledger holds the history, and lets trials fail, which the search counts.

    Unless it `plans`, a trial begins without a value.
    """

    study_seed = 0
    plans = True

    def save(self) -> None:
        """Write nothing."""

    def look_again(self) -> None:
        """Take in that a parameter takes more values, or is active in more trials, than was known."""

    def _save_trial(self, trial: Any) -> None:
        """Write nothing."""

    def _check_consecutive_failures(self) -> None:
        """Let them fail: KerasTuner looks through all trials each time."""


class RandomOracle(_Quiet, RandomSearchOracle):  # type: ignore[misc]  # keras_tuner has no types
    """Draws each trial from a seed of its own."""

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """The trial's values; KerasTuner counts `_seed_state` up from one draw to the next."""
        if not self.plans:
            return {"status": TrialStatus.RUNNING, "values": {}}
        self._seed_state = derive(self.study_seed, "keras-tuner", int(trial_id))
        response: dict[str, Any] = super().populate_space(trial_id)
        return response

    def hold(self, trial: Any, name: str, value: Any) -> None:
        """Have a trial hold this value: from now on its point counts as tried, and not the one that was planned."""
        trial.hyperparameters.values[name] = value
        self._record_values(trial)

    def is_new(self, trial: Any, name: str, value: Any) -> bool:
        """Whether the trial would be at a point that counts as tried for no trial, as what it was planned with does."""
        there = trial.hyperparameters.copy()
        there.values[name] = value
        there.ensure_active_values()
        return not self._duplicate(there.values)

    def leave_plan(self, trial: Any) -> None:
        """Have what counts as tried by a trial do so for good, whatever it holds later: it leads to no new point."""
        self._id_to_hash[trial.trial_id] = None

    def _record_values(self, trial: Any) -> None:
        """Have what the trial was planned with count as tried no longer, unless another one has it."""
        planned = self._id_to_hash[trial.trial_id]
        super()._record_values(trial)
        if planned and planned not in self._tried_so_far and planned in self._id_to_hash.values():
            self._tried_so_far.add(planned)


class GridOracle(_Quiet, GridSearchOracle):  # type: ignore[misc]  # keras_tuner has no types
    """Goes from one combination to the next. What surfaced after a trial was planned has its default there.

    The next one is planned while its predecessor runs, as KerasTuner itself does only after the first trial, so that
    every worker has one; a trial that ends is looked at again, for what surfaced in it lies between the two.
    """

    _in_order = True
    _ordered_ids: LinkedList
    _populate_next: list[str]

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """The trial's values: the next combination after that of an earlier trial."""
        if not self.plans:
            self._in_order = False
            return {"status": TrialStatus.RUNNING, "values": {}}
        before = list(self._populate_next), self._ordered_ids, self._in_order
        if not self._in_order:
            self._put_in_order()
        response: dict[str, Any] = super().populate_space(trial_id)
        if response["status"] == TrialStatus.RUNNING:
            self._populate_next.append(trial_id)
        elif response["status"] == TrialStatus.IDLE:  # no record tells of it, so a replayed oracle was not asked
            self._populate_next, self._ordered_ids, self._in_order = before
        return response

    def hold(self, trial: Any, name: str, value: Any) -> None:
        """Have a trial hold this value in place of the planned one."""
        trial.hyperparameters.values[name] = value
        self._in_order = False

    def look_again(self) -> None:
        """Look after each trial for the next one."""
        self._in_order = False

    def _put_in_order(self) -> None:
        """Sort trials that have other values than this oracle planned, and look after each for the next one."""
        values = {number: trial.hyperparameters.values for number, trial in self.trials.items()}
        self._populate_next = sorted(values, key=cmp_to_key(lambda a, b: self._compare(values[a], values[b])))
        self._ordered_ids, self._in_order = LinkedList(), True
        for number in self._populate_next:
            self._ordered_ids.insert(number)

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
