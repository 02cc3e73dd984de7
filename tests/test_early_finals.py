"""What hands without a trial do at the end of a search: they train those again that are finalists in any case."""

import numpy as np
import pytest
from instant import KIND, Instant, X

from hpsearch import files, paths
from hpsearch.crew import Crew
from hpsearch.errors import Interrupted
from hpsearch.experiment import Experiment
from hpsearch.finale import Finale
from hpsearch.leaving import Leave
from hpsearch.protocols import Turn
from hpsearch.pruners.none import NoPruner
from hpsearch.records import Answered, AttemptBegan
from hpsearch.search import search
from hpsearch.shortlist import finalists
from hpsearch.space import Parameter
from hpsearch.splits import Splits
from hpsearch.study import Study
from hpsearch.trial import AttemptEnd, How, Trial, TrialResult

LAST = 4  # the number of the last of five trials


class Ladder:
    """A tuner whose first trials are the best."""

    def begin(self, brief): ...

    def ask(self, number):
        return Trial(number)

    def suggest(self, number, parameter):
        return parameter.choices[0] if parameter.choices else 0.9 - 0.1 * number

    def tell(self, result): ...

    def close(self): ...


class Long(Instant):
    """Two hands, and a last trial that takes so many epochs that the others are long over."""

    def __init__(self, score=lambda values, epoch: float(values["x"]), *, last=60, **more):
        super().__init__(score, count=2, **more)
        self._last = last

    def _step(self, fitting):
        fit = fitting.order.attempt.fit
        self._epochs = self._last if (fit.kind, fit.trial) == ("search", LAST) else 4
        super()._step(fitting)


@pytest.fixture
def begin(tmp_path):
    labels = tmp_path / "labels.npy"
    np.save(labels, np.arange(200) % 4)

    def begin(**sections):
        wanted = {"search": {"trials": 5}, "final": {"finalists": 3, "seeds": 2}, **sections}
        experiment = Experiment.model_validate({"name": "a", "model": {"build": "m:f"}, **wanted})
        study = Study(experiment, paths.Study(files.make(tmp_path / "a")))
        return study, Splits(experiment, labels, study.paths.splits)

    return begin


def go(study, splits, executor, tuner=None, leave=lambda: False):
    """Search; give the finale that goes on with what was begun early."""
    crew = Crew(study, executor, splits)
    finale = Finale(study, crew, executor, None, None, Leave())
    search(study, tuner or Ladder(), NoPruner(), crew, leave, finale.fits)
    return finale


def began(study):
    """The final fits that were begun while trials were under way, and all that were begun, in order."""
    bodies = [news.body for news in study.ledger.read()]
    over = max(place for place, body in enumerate(bodies) if isinstance(body, TrialResult))
    finals = [
        (place, body.attempt.fit)
        for place, body in enumerate(bodies)
        if isinstance(body, AttemptBegan) and body.attempt.fit.kind == "final"
    ]
    return [fit for place, fit in finals if place < over], [fit for _, fit in finals]


def test_a_hand_that_finds_no_trial_trains_those_again_that_are_finalists_in_any_case(begin):
    study, splits = begin()

    finale = go(study, splits, Long())

    early, _ = began(study)
    assert finalists(study)[:2] == [0, 1]
    assert {(fit.trial, fit.repeat) for fit in early} == {(0, 0), (0, 1), (1, 0), (1, 1)}  # the last may be a third
    assert not finale.crew.running


def test_what_was_begun_early_is_what_the_finals_would_have_made_and_is_made_once(begin, tmp_path):
    study, splits = begin()
    alone = Study(study.experiment, paths.Study(files.make(tmp_path / "alone")))

    for one, executor in ((study, Long(last=20)), (alone, Instant())):
        finale = go(one, splits, executor)
        fits = list(finale.fits.of(finalists(one)))
        finale._make((fit, None) for fit in fits)
        assert sorted(fit.name for fit in began(one)[1]) == sorted(fit.name for fit in fits)

    assert began(study)[0]
    assert not began(alone)[0]
    assert study.state.finals.keys() == alone.state.finals.keys()


def test_no_final_is_begun_while_the_tuner_may_still_hand_out_a_trial(begin):
    class Waits(Ladder):
        def ask(self, number):
            ended = len(study.state.results)
            return Trial(number) if number <= ended else Turn.WAIT

    study, splits = begin()

    go(study, splits, Long(), Waits())

    early, _ = began(study)
    last = next(news.number for news in study.ledger.read() if getattr(news.body, "trial", None) == Trial(LAST))
    first = next(
        n.number for n in study.ledger.read() if isinstance(n.body, AttemptBegan) and n.body.attempt.fit in early
    )
    assert first > last


def test_no_final_is_begun_of_a_trial_that_those_under_way_may_push_out(begin):
    study, splits = begin(final={"finalists": 1, "seeds": 2})

    go(study, splits, Long())

    assert began(study) == ([], [])


def test_a_final_that_fails_early_is_tried_again_by_the_next_session_alone(begin):
    def fate(attempt):
        if attempt.fit.kind == "final" and attempt.fit.trial == 0:
            raise ValueError("loss is nan")
        return ""

    study, splits = begin()

    finale = go(study, splits, Long(fate=fate))
    finale._make((fit, None) for fit in finale.fits.of(finalists(study)))

    _, every = began(study)
    assert len(every) == len(set(every)) == 6
    assert len(study.state.finals) == 4

    finale = go(study, splits, Long())
    finale._make((fit, None) for fit in finale.fits.of(finalists(study)))

    assert len(study.state.finals) == 6


def test_a_final_begun_early_of_a_trial_for_which_a_twin_comes_to_stand_counts_for_nothing(begin):
    class Twins(Ladder):
        def suggest(self, number, parameter):
            return super().suggest(0 if number == LAST else number, parameter)

    study, splits = begin()

    finale = go(study, splits, Long(lambda values, epoch: float(values["x"]) + epoch / 1000), Twins())
    chosen = finale._finalists()
    finale._make((fit, None) for fit in finale.fits.of(chosen))
    for fit in study.state.finals:
        files.write_text(files.make(study.paths.fit(fit.name).model.parent) / "model.keras", "")

    assert {fit.trial for fit in began(study)[0]} == {0, 1}
    assert chosen == (LAST, 1, 2)
    assert {standing.trial for standing in finale._ranking()} == set(chosen)


def test_time_that_is_out_stops_the_search_and_none_of_the_finals(begin):
    study, splits = begin(search={"trials": 5, "time": "60s"}, final={"finalists": 3, "seeds": 1})

    def spend(values, epoch):
        if study.state.running.keys() & {fit for fit in study.state.attempts if fit.kind == "final"}:
            study.clock.set(100.0)
        return float(values["x"])

    finale = go(study, splits, Long(spend))
    finale._make((fit, None) for fit in finale.fits.of(finalists(study)))

    ends = [news.body for news in study.ledger.read() if isinstance(news.body, AttemptEnd)]
    assert {end.how for end in ends if end.attempt.fit.kind == "final"} == {How.FINISHED}
    assert study.state.courses[LAST].result.reason == "time"
    assert len(began(study)[1]) == 3


def test_who_leaves_stops_the_finals_too_and_the_next_session_makes_them_once_more(begin):
    study, splits = begin()

    with pytest.raises(Interrupted):
        go(study, splits, Long(), leave=lambda: any(fit.kind == "final" for fit in study.state.attempts))
    ends = [news.body for news in study.ledger.read() if isinstance(news.body, AttemptEnd)]
    assert {end.how for end in ends if end.attempt.fit.kind == "final"} == {How.INTERRUPTED}
    finale = go(study, splits, Long())
    finale._make((fit, None) for fit in finale.fits.of(finalists(study)))

    assert len(study.state.finals) == 6


def test_a_branch_that_only_the_finals_take_gets_its_default_although_the_search_lasts(begin):
    extra = Parameter("deep", "choice", "b", choices=("a", "b", "c"))

    class Curious(Long):
        def _unknown(self, fitting):
            final = fitting.order.attempt.fit.kind == "final"
            asked = [extra] if final and "deep" not in fitting.values else []
            return super()._unknown(fitting) + asked

    study, splits = begin()

    go(study, splits, Curious())

    answers = [news.body for news in study.ledger.read() if isinstance(news.body, Answered)]
    assert {(one.trial, one.value) for one in answers if one.parameter.name == "deep"} == {(0, "b"), (1, "b")}


def test_folds_that_wait_for_a_hand_come_before_finals(begin):
    study, splits = begin(data={"folds": 3}, final={"finalists": 3, "seeds": 1})

    finale = go(study, splits, Long(space=(X, KIND), last=20))
    fits = list(finale.fits.of(finalists(study)))
    finale._make((fit, None) for fit in fits)

    early, every = began(study)
    assert early
    assert {fit.trial for fit in early} <= {0, 1}
    assert sorted(fit.name for fit in every) == sorted(fit.name for fit in fits)
