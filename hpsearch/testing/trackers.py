"""What every tracker must do: subclass TrackerContract in a module of tests, override `make` and `seen`."""

# ruff: noqa: D102 - a test is named by its sentence

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import Any, get_args

import pytest

from hpsearch import records
from hpsearch.experiment import Experiment
from hpsearch.protocols import Tracker
from hpsearch.records import Answered, Asked, AttemptBegan, Body, Finalist, News, SessionBegan, SessionEnded
from hpsearch.space import Parameter, Values
from hpsearch.trial import Attempt, AttemptEnd, Built, Failure, Fit, How, Measure, Status, Trial, TrialResult

EXPERIMENT = Experiment.model_validate(
    {"name": "told", "model": {"build": "space:build"}, "search": {"trials": 3}, "train": {"epochs": 2}}
)
RATE = Parameter("rate", "float", 0.1, low=0.01, high=1.0)
DEPTH = Parameter("depth", "fixed", 2)
ROW = {"precision": 0.9, "recall": 0.8, "f1-score": 0.85, "support": 50.0}


@dataclass(frozen=True)
class Unheard:
    """A kind of record that a later hpsearch may write."""

    text: str


def story() -> list[News]:
    """A whole study with every kind of record: stopped once, taken up again, brought to its verdict."""
    return told([*first_session(), *second_session(), *finals()])


def told(bodies: Sequence[Body]) -> list[News]:
    """Records as a ledger keeps them, a second apart; their numbers leave room between them."""
    return [News(10 * place, 1_700_000_000_000 + 1000 * place, place / 2, body) for place, body in enumerate(bodies, 1)]


def began() -> list[Body]:
    """What every session begins with."""
    provenance = {"git_commit": "0f1e2d", "keras": "3.15.1"}
    session = SessionBegan("told", EXPERIMENT.model_dump(mode="json"), {"data": "abc"}, ("space.py",), provenance)
    return [session, records.SpaceFound((RATE, DEPTH))]


def asked(number: int) -> list[Body]:
    """A trial and the answers to its questions."""
    values = [Answered(number, RATE, valued(number)["rate"]), Answered(number, DEPTH, 2)]
    return [Asked(Trial(number)), *values]


def valued(number: int) -> Values:
    """A trial's values."""
    return {"rate": 0.1 * (number + 1), "depth": 2}


def trained(attempt: Attempt, *scores: float, how: How = How.FINISHED, reason: str = "") -> list[Body]:
    """An attempt from its beginning to its end, one epoch a score."""
    measures = [
        Measure(attempt, epoch, {"val_accuracy": score, "loss": nan}, 0.5) for epoch, score in enumerate(scores, 1)
    ]
    best = max(scores)
    found = {"val_accuracy": best}
    end = AttemptEnd(attempt, how, 1.5, best, scores.index(best) + 1, len(scores), found, reason)
    return [AttemptBegan(attempt), Built(attempt, 1234, "a small model", "graph"), *measures, end]


def ended(number: int, status: Status, score: float | None, failure: Failure | None = None) -> TrialResult:
    """The outcome of a trial."""
    metrics = {"val_accuracy": score} if score is not None else {}
    return TrialResult(Trial(number, valued(number)), status, score, 1, 1.5, metrics, failure=failure)


def first_session() -> list[Body]:
    """One trial is completed; the next loses a worker and is interrupted."""
    tries = [Attempt(Fit(1, 1), number) for number in (1, 2)]
    stopped = trained(tries[1], 0.4, how=How.INTERRUPTED, reason="interrupted")
    return [
        *began(), records.Planned("another", (valued(0),)),
        *asked(0), *trained(Attempt(Fit(0, 0)), 0.5, 0.8), ended(0, Status.COMPLETED, 0.8),
        *asked(1), *trained(tries[0], 0.4, how=How.LOST, reason="was killed by SIGKILL"), *stopped,
        SessionEnded(finished=False, reason="interrupted"),
    ]  # fmt: skip


def second_session() -> list[Body]:
    """The interrupted trial is pruned at last, and one fails with words that no terminal should see."""
    failure = Failure("ValueError", "too deep\x1b[2J\nby far", "Traceback …")
    crash = AttemptEnd(Attempt(Fit(2, 2)), How.FINISHED, 0.1, failure=failure)
    return [
        *began(), *trained(Attempt(Fit(1, 1), 3), 0.4, 0.3), ended(1, Status.PRUNED, 0.4),
        *asked(2), AttemptBegan(crash.attempt), crash, ended(2, Status.FAILED, None, failure),
    ]  # fmt: skip


def finals() -> list[Body]:
    """The best on fresh seeds, one look at the test split, the end; and a later look."""
    fits = [Fit(0, 7 + repeat, "final", repeat=repeat) for repeat in (0, 1)]
    report = dict.fromkeys(("nought", "one", "macro avg", "weighted avg"), ROW)
    finalist, matrix = Finalist(0, (0.8, 0.82), (0.79, 0.81)), ((40, 10), (9, 41))
    return [
        records.FinalistsChosen((0,)), *(body for fit in fits for body in trained(Attempt(fit), 0.7, 0.8)),
        records.TestOpened({fit.name: "0" * 64 for fit in fits}, {fits[1].name: ("2" * 64, "3" * 64)}),
        records.TestCurve(fits[1].name, (0.6, 0.81)),
        records.Verdict(0, fits[1].name, (finalist,), 100, 0.81, report, matrix, ("nought", "one")),
        SessionEnded(finished=True, reason="the budget is spent"),
        records.TestLooked({"search-0001-r0-f0": "1" * 64}, "hpsearch compare"),
    ]  # fmt: skip


def hear_all(tracker: Tracker, news: Sequence[News]) -> None:
    """Let a tracker hear it all, and close it."""
    for record in news:
        tracker.hear(record)
    tracker.close()


class TrackerContract:
    """The promises of a tracker. A place is a folder that stands for whatever the tracker writes to."""

    remembers = False
    """Whether a tracker made anew at the same place goes on where an earlier one left off."""

    @pytest.fixture
    def make(self) -> Callable[[Path], Tracker]:
        """Override: what makes a tracker of EXPERIMENT that writes to a place."""
        raise NotImplementedError

    @pytest.fixture
    def seen(self) -> Callable[[Path], object]:
        """Override: everything that can be seen at a place, without ids or times of writing; compared by `repr`."""
        raise NotImplementedError

    @pytest.fixture
    def places(self, tmp_path: Path) -> Iterator[Path]:
        """Places where nothing was written yet."""
        return (tmp_path / f"{tmp_path.name}-{number}" for number in range(100))

    @pytest.fixture
    def whole(self, make: Callable[[Path], Tracker], seen: Callable[[Path], object], places: Iterator[Path]) -> str:
        """What is seen of the whole story."""
        place = next(places)
        hear_all(make(place), story())
        return repr(seen(place))

    def test_every_kind_of_record_is_heard_and_something_is_seen_of_it(
        self, make: Callable[[Path], Tracker], seen: Callable[[Path], object], places: Iterator[Path], whole: str
    ) -> None:
        silent = next(places)

        hear_all(make(silent), [])

        assert {type(news.body) for news in story()} == set(get_args(Body))
        assert repr(seen(silent)) != whole

    def test_hearing_each_record_twice_is_as_good_as_once(
        self, make: Callable[[Path], Tracker], seen: Callable[[Path], object], places: Iterator[Path], whole: str
    ) -> None:
        place = next(places)

        hear_all(make(place), [news for news in story() for _ in range(2)])

        assert repr(seen(place)) == whole

    def test_hearing_the_story_again_changes_nothing(
        self, make: Callable[[Path], Tracker], seen: Callable[[Path], object], places: Iterator[Path], whole: str
    ) -> None:
        place = next(places)

        hear_all(make(place), [*story(), *story()])

        assert repr(seen(place)) == whole

    @pytest.mark.parametrize("share", [0.15, 0.4, 0.65, 0.9])
    def test_a_tracker_made_anew_may_start_in_the_middle(
        self, make: Callable[[Path], Tracker], seen: Callable[[Path], object], places: Iterator[Path], share: float
    ) -> None:
        place, news = next(places), story()

        hear_all(make(place), news[int(share * len(news)) :])

        assert seen(place)

    @pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
    def test_two_trackers_one_after_the_other_are_as_good_as_one(
        self,
        make: Callable[[Path], Tracker],
        seen: Callable[[Path], object],
        places: Iterator[Path],
        whole: str,
        share: float,
    ) -> None:
        if not self.remembers:
            pytest.skip("what this tracker knows ends with it")
        place, news = next(places), story()
        cut = int(share * len(news))

        hear_all(make(place), news[:cut])
        hear_all(make(place), news[cut - 2 :])  # the last two may come again after a kill

        assert repr(seen(place)) == whole

    def test_kinds_it_does_not_know_are_let_pass(
        self, make: Callable[[Path], Tracker], seen: Callable[[Path], object], places: Iterator[Path], whole: str
    ) -> None:
        unheard: Any = Unheard("of")
        place = next(places)

        between = [(news, News(news.number + 1, news.time_ms, news.searched, unheard)) for news in story()]
        hear_all(make(place), [news for pair in between for news in pair])

        assert repr(seen(place)) == whole

    def test_closing_twice_is_as_good_as_once(
        self, make: Callable[[Path], Tracker], seen: Callable[[Path], object], places: Iterator[Path], whole: str
    ) -> None:
        place = next(places)
        tracker = make(place)
        hear_all(tracker, story())

        tracker.close()

        assert repr(seen(place)) == whole
