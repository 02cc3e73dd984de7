"""Says which parameters mattered, and how surely: PED-ANOVA on the replayed study, with a bootstrap over its trials.

PED-ANOVA (Watanabe et al. 2023, arXiv:2304.10255; for conditional spaces arXiv:2601.20800) asks how far the values of
the best trials differ from those of all trials. Only completed trials are looked at, and of parameters those that
took several values and that enough of them had: three values drawn again and again look as if they told much, and so
does one that all have, since the even distribution that is taken for granted weighs more among few trials. The shares
add up to one, also of what differs by chance: so they are told only where the values of the best third differ by more
than they do when the scores are shuffled among the trials.
"""

import copy
import warnings
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hpsearch.as_optuna import frozen_trials
from hpsearch.objective import Objective
from hpsearch.report.facts import Facts
from hpsearch.report.findings import FEWEST_TRIALS, took_several

if TYPE_CHECKING:
    from collections.abc import Sequence

    import optuna

DRAWS = 40
MOST_DRAWN = 1000  # trials of a bootstrap's draw: with more the interval would be narrower than it is shown
MOST_SHUFFLED = 500  # trials, for the time it takes; their best third are enough to tell
SHUFFLES, MOST_REACHING = 39, 1  # that is 2 of 40 orders, the real one among them: chance does it once in twenty times
BEST_SHARE, FEWEST_BEST = 0.1, 5  # Optuna's advice: at least five trials among the best
GOOD_SHARE = 1 / 3  # whose values are held against chance: a tenth of thirty trials would seldom show what is there


@dataclass(frozen=True)
class Weight:
    """A parameter's share in what mattered, from 0 to 1, with the bounds between which 90 of 100 draws put it.

    The share is the mean over the draws: with few trials it is less sure of itself than one look at all of them.
    """

    name: str
    share: float
    low: float
    high: float


def weigh(facts: Facts) -> tuple[Weight, ...]:
    """The weights of the parameters that took several values and that ten completed trials had, largest first.

    () where one alone did, whose share is all there is whatever it does; where none did; or where none can be told from
    chance.
    """
    from optuna.trial import TrialState

    trials = [trial for trial in frozen_trials(facts) if trial.state == TrialState.COMPLETE]
    held = Counter(name for trial in trials for name in trial.params)
    names = {name for name in took_several(trial.params for trial in trials) if held[name] >= FEWEST_TRIALS}
    objective = Objective.parse(facts.objective)
    if len(names) < 2 or _by_chance(trials, names, objective):  # noqa: PLR2004  # a share is one of several
        return ()
    import numpy as np

    draw = np.random.default_rng(0)
    rows = min(len(trials), MOST_DRAWN)
    draws = ([trials[row] for row in draw.integers(len(trials), size=rows)] for _ in range(DRAWS))
    drawn = [told for one in draws if (told := _shares(one, names, objective))]
    weights = []
    for name in sorted({name for shares in drawn for name in shares}):
        shares = [one.get(name, 0.0) for one in drawn]
        low, high = np.quantile(shares, (0.05, 0.95))
        weights.append(Weight(name, float(np.mean(shares)), float(low), float(high)))
    return tuple(sorted(weights, key=lambda weight: -weight.share))


def _by_chance(trials: "Sequence[optuna.trial.FrozenTrial]", names: set[str], objective: Objective) -> bool:
    """Whether the values of the best third differ no more than those of trials to which chance gives the scores."""
    import numpy as np

    draw = np.random.default_rng(1)
    some = [copy.copy(trials[row]) for row in draw.permutation(len(trials))[:MOST_SHUFFLED]]
    scores = [trial.value for trial in some]
    whole, reaching = sum(_divergences(some, names, objective, GOOD_SHARE).values()), 0
    for _ in range(SHUFFLES):
        for trial, row in zip(some, draw.permutation(len(some)), strict=True):
            trial.value = scores[row]
        reaching += sum(_divergences(some, names, objective, GOOD_SHARE).values()) >= whole
        if reaching > MOST_REACHING:
            return True
    return False


def _shares(trials: "Sequence[optuna.trial.FrozenTrial]", names: set[str], objective: Objective) -> dict[str, float]:
    """Each parameter's share by these trials; {} where the best of them score no better than the others."""
    told = _divergences(trials, names, objective, BEST_SHARE)
    whole = sum(told.values())  # 0 where the best are all of them; Optuna would give each parameter the same share
    return {name: part / whole for name, part in told.items()} if whole else {}


def _divergences(
    trials: "Sequence[optuna.trial.FrozenTrial]", names: set[str], objective: Objective, best_share: float
) -> dict[str, float]:
    """How far each parameter's values in this share of the trials, the best, differ from those in all of them."""
    import optuna

    class Drawn(optuna.storages.InMemoryStorage):
        """Holds just these trials, some of them several times, without copying them."""

        def get_all_trials(
            self, study_id: int, deepcopy: bool = True, states: object = None
        ) -> "list[optuna.trial.FrozenTrial]":
            del study_id, deepcopy, states  # all are completed
            return list(trials)

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(storage=Drawn(), direction=objective.direction)
    best = min(0.5, max(best_share, FEWEST_BEST / len(trials)))
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=best)
    there = sorted(names & {name for trial in trials for name in trial.params})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of conditional parameters that few trials have
        return evaluator.evaluate(study, there)
