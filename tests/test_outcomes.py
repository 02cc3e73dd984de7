"""What came of a study's trials can be read without all that its ledger holds, and is the same."""

import itertools
import random
import shutil
import threading
import time
from contextlib import closing, suppress
from dataclasses import replace

import disk_stories
import pytest
from kept_studies import keep
from stories import EXPERIMENT, began, finals, fit_story, half_fixed, told, trial_story
from test_damage import harm

from hpsearch import files, paths
from hpsearch.errors import StateDamaged
from hpsearch.experiment import Experiment
from hpsearch.ledger import Ledger
from hpsearch.outcomes import outcomes
from hpsearch.records import Answered, Asked, FinalistsChosen, SessionEnded
from hpsearch.report.facts import gather
from hpsearch.space import Parameter
from hpsearch.state import State
from hpsearch.study import read
from hpsearch.trial import Attempt, AttemptEnd, Fit, How, Measure, Status, Trial, TrialResult

PRUNED = Experiment.model_validate(
    {**EXPERIMENT.model_dump(exclude_none=True), "search": {"trials": 5, "pruner": "median"}}
)
RATE = Parameter("rate", "float", 0.1, low=0.01, high=1.0)
LATE = Parameter("late", "fixed", 7)
HARMS = 150


def a_story():
    stopped = trial_story(1, [0.4, 0.3], Status.PRUNED)
    stopped[-2] = replace(stopped[-2], how=How.INTERRUPTED)
    answers = [Answered(number, RATE, 0.1 * (number + 1)) for number in range(3)]
    return [
        *began(PRUNED), *(Asked(Trial(number)) for number in range(3)), *answers, Answered(0, LATE, 7),
        *trial_story(0, [0.5, 0.8, 0.7]), *stopped, Measure(Attempt(Fit(2, 2)), 1, {"val_accuracy": 0.2}, 0.1),
        *finals(), SessionEnded(finished=True, reason="enough"),
    ]  # fmt: skip


def a_reopened_story():
    """Finals, more search, other finals, and more search again, as far as its third trial."""
    again = [replace(one, trials=(3,)) if isinstance(one, FinalistsChosen) else one for one in finals()]
    session = [*began(PRUNED)]
    return [
        *began(PRUNED), *story(0, 2), *story(2, 2), *finals(), SessionEnded(finished=True, reason="enough"),
        *session, *story(3, 2), *again, SessionEnded(finished=True, reason="enough"),
        *session, *story(4, 2), *story(5, 2),
    ]  # fmt: skip


def a_killed_story():
    """Two trials under way when the coordinator was killed, which the next session says; and killed again at once."""
    under_way = [Asked(Trial(0)), *trial_story(0, [0.5])[:-2], Asked(Trial(1)), trial_story(1, [0.5])[0]]
    lost = [AttemptEnd(Attempt(Fit(number, number)), How.LOST, 0.0) for number in (0, 1)]
    return [*began(PRUNED), *under_way, *lost, *began(PRUNED), *lost, *began(PRUNED), *story(2, 2)]


def a_story_of_folds():
    """A trial of which the second fold has ended and the first is under way."""
    first, second = (fit_story(Fit(0, fold, fold=fold), [0.5 + fold / 5, 0.6]) for fold in (0, 1))
    return [*began(PRUNED), Asked(Trial(0)), *first[:3], *second, *first[3:-1]]


@pytest.fixture(autouse=True)
def a_millisecond_for_each_record(monkeypatch):
    """Else few of a story would tell when its sessions ended."""
    clock = itertools.count(time.time_ns(), 1_000_000)
    monkeypatch.setattr("hpsearch.ledger.time.time_ns", lambda: next(clock))


def project_of(folder, bodies):
    files.make(folder)
    keep(folder, bodies)
    return paths.Project(folder)


def facts(records):
    """All that is shown of a study, but for the curves of trials that have ended, and the workers' times."""
    gathered = gather(records)
    gathered.work, gathered.session_spans = [], []
    for trial in gathered.trials:
        if trial.over:
            trial.curves = {}
    return gathered


@pytest.mark.promise("51")
@pytest.mark.parametrize("a_story", [a_story, a_reopened_story, a_killed_story, a_story_of_folds, half_fixed])
def test_wherever_a_story_stops_its_outcomes_are_those_of_all_its_records(tmp_path, a_story):
    bodies = a_story()
    for end in range(len(told(bodies)) + 1):
        project = project_of(tmp_path / str(end), bodies[:end])

        found = facts(outcomes(project, "tiny"))

        assert found == facts(read(project, "tiny")), end


def test_values_stand_in_the_order_in_which_they_were_asked_for_though_a_kill_came_between(tmp_path):
    values = {"rate": 0.1, "late": 7.5}
    late = Parameter("late", "float", 1.0, low=0.0, high=9.0)
    asked = [Asked(Trial(0)), *trial_story(0, [0.5])[:1], Answered(0, RATE, 0.1), Answered(0, late, 7.5)]
    lost = AttemptEnd(Attempt(Fit(0, 0)), How.LOST, 0.0)
    bodies = [*began(PRUNED), *asked, lost, *began(PRUNED), TrialResult(Trial(0, values), Status.COMPLETED, 0.5)]
    project = project_of(tmp_path, bodies)

    for told_of in (outcomes, read):
        assert list(gather(told_of(project, "tiny")).trials[0].values) == ["rate", "late"]


def test_a_reopened_study_has_no_verdict_and_no_finalists_while_it_searches(tmp_path):
    project = project_of(tmp_path, a_reopened_story())

    for told_of in (outcomes, read):
        found = gather(told_of(project, "tiny"))

        assert (found.verdict, found.finalists, found.openings) == (None, (), 2)


@pytest.mark.promise("51", "P21")
def test_what_is_read_to_show_a_study_does_not_grow_with_its_epochs(tmp_path):
    few, many = (
        project_of(tmp_path / str(epochs), [*began(PRUNED), *(body for n in range(9) for body in story(n, epochs))])
        for epochs in (2, 60)
    )

    assert len(outcomes(many, "tiny")) == len(outcomes(few, "tiny")) < 9 * 4 + 5


def story(number, epochs):
    status = Status.PRUNED if number % 2 else Status.COMPLETED
    return [Asked(Trial(number)), *trial_story(number, [0.5 + 0.001 * epoch for epoch in range(epochs)], status)]


@pytest.mark.promise("51")
def test_a_study_that_is_written_to_meanwhile_is_read_as_of_one_moment(tmp_path):
    project = project_of(tmp_path, began(PRUNED))
    coordinator = threading.Thread(target=ask_for_trials, args=(project.study("tiny").ledger, 300))
    coordinator.start()

    while coordinator.is_alive():
        seen(project)  # a State knows of no value of a trial that was not asked for

    assert len(seen(project).courses) == 300


def seen(project):
    state = State()
    for news in outcomes(project, "tiny"):
        state.take(news)
    return state


def ask_for_trials(ledger, count):
    with closing(Ledger(ledger)) as writer:
        for number in range(count):
            writer.write(Asked(Trial(number)), durable=True)
            writer.write(Answered(number, LATE, 7), durable=True)


@pytest.mark.promise("37", "P12")
def test_damage_anywhere_is_refused_or_changes_no_outcome(tmp_path):
    dice, sound, refused = random.Random(3), disk_stories.a_study(tmp_path / "sound" / "a", left=0), 0
    came = [news.body for news in outcomes(in_runs(sound, tmp_path / "project"), "a")]
    for number in range(HARMS):
        project = in_runs(sound, tmp_path / str(number))
        ledger = project.study("a").ledger
        ledger.write_bytes(harm(dice, ledger.read_bytes())[1])

        found = None
        with suppress(StateDamaged):
            found = [news.body for news in outcomes(project, "a")]

        refused += found is None
        assert found in (None, came), number
        shutil.rmtree(project.root)
    assert refused > HARMS / 3  # most harms meet records that are not read


def in_runs(ledger, root):
    project = paths.Project(root)
    files.make(project.study("a").folder)
    shutil.copyfile(ledger, project.study("a").ledger)
    return project
