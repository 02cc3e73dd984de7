"""One trial cannot hurt the study: whatever it does, it ends for the right reason and leaves nothing behind."""

import os
import signal
import time
from pathlib import Path

import figures
import numpy as np
import odd_jobs
import psutil
import pytest
from instant import Instant
from test_cards import tensorflow  # noqa: F401 - a fixture
from test_local import hear, order
from test_search import Dice, Lenient, begin  # noqa: F401 - a fixture

from hpsearch import control_groups, file_systems, files, paths, plugins
from hpsearch.crew import Crew
from hpsearch.errors import HpsearchError
from hpsearch.executors import deaths, limits
from hpsearch.executors.limits import Limits, own_bytes
from hpsearch.executors.local import Local
from hpsearch.objective import Objective
from hpsearch.orders import Recipe
from hpsearch.records import Answered, Asked, AttemptBegan
from hpsearch.search import search
from hpsearch.study import Study
from hpsearch.trial import Attempt, AttemptEnd, Fit, How, Measure, Status, TrialResult
from hpsearch.worker import process

MB = 1_000_000


@pytest.fixture
def local():
    made = []

    def local(work, recipe=3, count=1, method=None, **most):
        made.append(Local(count, work, limits=Limits(**most), method=method))
        made[-1].open(recipe)
        return made[-1]

    yield local
    for executor in made:
        executor.close()


@pytest.fixture
def recipe(tmp_path):
    """A real recipe, so that what workers print is kept where a study keeps it."""
    return Recipe(tmp_path, "m:f", tmp_path, tmp_path / "fits", ("a",), Objective("max", "val_accuracy"), 1, (1,))


def gone(pids, within=5.0):
    end = time.monotonic() + within
    while time.monotonic() < end:
        if not [pid for pid in map(int, pids) if psutil.pid_exists(pid) and _lives(pid)]:
            return True
        time.sleep(0.02)
    return False


def _lives(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def logged(recipe):
    return (recipe.fits / Fit(0, 1).name / "log.txt").read_bytes()


@pytest.mark.promise("P13", "19", "20", "21", "27", "30", "31")
def test_eight_trials_each_ruined_in_its_own_way_fail_alone_and_the_ninth_completes(begin, local):  # noqa: F811
    study, splits = begin(search={"trials": 9})
    executor = local(odd_jobs.every_fate, seconds=4.0, memory=150 * MB)

    search(study, Dice(), Lenient(), Crew(study, executor, splits), lambda: False)

    kinds = [result.failure.kind if result.failure else result.status for result in study.state.results]
    assert kinds == [
        "exit", "exit", "exit", "signal 11 (SIGSEGV)", "signal 6 (SIGABRT)", "oom", "timeout", "timeout",
        Status.COMPLETED,
    ]  # fmt: skip
    assert max(attempt for attempt in study.state.attempts.values()) == 1
    records = list(study.ledger.read())
    waits = [
        next(later.searched for later in records[place:] if isinstance(later.body, AttemptBegan)) - news.searched
        for place, news in enumerate(records)
        if isinstance(news.body, TrialResult) and news.body.failure
    ]
    figures.note("P13", contained=len(waits), slowest_next_seconds=max(waits))
    assert max(waits) < 10  # 2 on a machine that has nothing else to do


@pytest.mark.promise("30", "P14")
def test_a_trial_that_hangs_is_ended_when_its_time_is_up_and_leaves_no_process(local):
    executor = local(odd_jobs.signs_in_and_hangs, seconds=1.0)
    executor.submit(order())
    (measure,) = hear(executor, until=Measure)

    began = time.monotonic()
    end = hear(executor)[-1]

    late = time.monotonic() - began - 1
    figures.note("P14", late_seconds=late)
    assert (end.how, end.failure.kind) == (How.FINISHED, "timeout")
    assert "train.trial_timeout" in end.failure.message
    assert late < 5
    assert gone([measure.metrics["pid"]])


@pytest.mark.promise("30")
def test_a_trial_that_ended_in_time_stands_though_nobody_looked_until_its_time_was_up(local):
    executor = local(odd_jobs.honest, recipe=50, seconds=1.5)

    executor.submit(order(x=0.5))
    time.sleep(2)

    end = hear(executor)[-1]
    assert (end.how, end.failure, end.epochs) == (How.FINISHED, None, 50)


@pytest.mark.promise("30")
def test_a_trial_that_talks_without_end_is_ended_when_its_time_is_up(local):
    executor = local(odd_jobs.talks_without_end, seconds=1.0)

    executor.submit(order())

    assert hear(executor)[-1].failure.kind == "timeout"


@pytest.mark.promise("30")
def test_a_trial_without_a_sign_of_life_is_ended_and_one_with_is_not(local):
    silent = local(odd_jobs.hangs, silence=2.0)
    alive = local(odd_jobs.alive_but_slow, recipe=15, silence=2.0)

    silent.submit(order())
    alive.submit(order())

    assert hear(silent)[-1].failure.kind == "stall"
    assert hear(alive)[-1].failure is None


@pytest.mark.promise("30")
def test_a_trial_that_waits_for_the_tuner_is_not_stalled(local):
    executor = local(odd_jobs.honest, silence=0.5)
    executor.submit(order())
    question = next(event for _ in range(100) for event in executor.events(0.2))

    waited = [event for _ in range(6) for event in executor.events(0.2)]
    executor.answer(question.attempt, 0.5)

    assert waited == []
    assert hear(executor)[-1].failure is None


@pytest.mark.promise("16")
def test_a_paused_worker_is_neither_replaced_nor_stalled_and_goes_on_when_it_may(local):
    executor = local(odd_jobs.alive_but_slow, recipe=5, silence=2.0)
    executor.submit(order())
    worker = executor._busy[Attempt(Fit(0, 1))].process.pid
    os.kill(worker, signal.SIGSTOP)

    meanwhile = [event for _ in range(15) for event in executor.events(0.2)]
    os.kill(worker, signal.SIGCONT)

    assert meanwhile == []
    assert (end := hear(executor)[-1]).failure is None
    assert end.attempt.number == 1


@pytest.mark.promise("16", "P14")
def test_a_paused_worker_is_ended_by_its_timeout(local):
    executor = local(odd_jobs.signs_in_and_hangs, seconds=1.0)
    executor.submit(order())
    (measure,) = hear(executor, until=Measure)
    os.kill(int(measure.metrics["pid"]), signal.SIGSTOP)

    end = hear(executor)[-1]

    assert end.failure.kind == "timeout"
    assert gone([measure.metrics["pid"]])


@pytest.mark.promise("19")
def test_a_trial_that_takes_more_memory_than_it_may_fails_with_the_limit_named(local):
    executor = local(odd_jobs.hoards, memory=150 * MB)

    executor.submit(order())

    end = hear(executor)[-1]
    assert (end.how, end.failure.kind) == (How.FINISHED, "oom")
    assert "150 MB (train.trial_memory)" in end.failure.message


@pytest.mark.promise("19")
@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="Linux tells there whose a page is")
def test_images_that_a_process_alone_maps_are_not_its_own_memory_and_what_it_makes_of_them_is(tmp_path):
    if file_systems.kind(tmp_path) in {"tmpfs", "ramfs"}:
        pytest.skip("files are memory in this folder")
    with (file := tmp_path / "images.npy").open("wb") as written:
        np.save(written, np.ones(64 * MB, np.uint8))
        os.fsync(written.fileno())
    before = own_bytes(os.getpid())

    images = np.load(file, mmap_mode="c")
    images.sum()
    mapped = own_bytes(os.getpid()) - before
    made = images + 1
    own = own_bytes(os.getpid()) - before

    assert mapped < 16 * MB
    assert own > made.nbytes - 16 * MB


def test_where_nobody_tells_what_a_process_alone_has_all_that_it_has_counts(monkeypatch):
    def refused(process):
        raise psutil.AccessDenied(process.pid)

    monkeypatch.setattr(psutil.Process, "memory_full_info", refused)  # as macOS does

    assert limits._elsewhere(os.getpid()) > 10 * MB
    assert limits._elsewhere(2**22 + 1) == 0  # there is no such process


@pytest.mark.promise("20")
def test_a_crash_is_told_though_somebody_removed_what_the_trial_printed(local, recipe):
    executor = local(odd_jobs.loses_its_log, recipe)

    executor.submit(order())

    failure = hear(executor)[-1].failure
    assert (failure.kind, failure.traceback) == ("signal 6 (SIGABRT)", "")


@pytest.mark.promise("19")
@pytest.mark.parametrize(("limit", "kind"), [(1.05, "oom"), (3.0, None)])
def test_a_killed_trial_has_run_out_of_memory_only_if_it_stood_near_its_limit(local, limit, kind):
    executor = local(odd_jobs.signs_in_and_hangs)
    executor.submit(order())
    (measure,) = hear(executor, until=Measure)
    busy, worker = executor._busy[Attempt(Fit(0, 1))], int(measure.metrics["pid"])
    busy.rules = type(busy.rules)(Limits(memory=int(own_bytes(worker) * limit)))
    list(executor.events(0.1))  # a sample is taken

    os.kill(worker, signal.SIGKILL)

    end = hear(executor)[-1]
    assert (end.failure.kind if end.failure else None, end.how is How.LOST) == (kind, kind is None)


@pytest.mark.promise("19")
@pytest.mark.parametrize(
    ("group", "file", "text"),
    [
        ("0::/a\n", "a/memory.events", "oom 3\noom_kill {}\n"),
        ("4:memory:/a\n", "memory/a/memory.oom_control", "under_oom 0\noom_kill {}\n"),
    ],
)
def test_a_kill_that_linux_counts_as_out_of_memory_explains_one_death(tmp_path, monkeypatch, group, file, text):
    (counts := tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / "cgroup").write_text(group)
    counts.write_text(text.format(3))
    monkeypatch.setattr(control_groups, "MEMBERSHIP", tmp_path / "cgroup")
    monkeypatch.setattr(control_groups, "MOUNTED", tmp_path)
    memory = deaths.OutOfMemory()

    counts.write_text(text.format(4))

    assert not memory.explains(7)
    assert memory.explains(deaths.KILLED)
    assert not memory.explains(deaths.KILLED)


@pytest.mark.promise("19")
def test_a_fit_that_somebody_kills_is_tried_three_times(begin, local):  # noqa: F811
    study, splits = begin(search={"trials": 1})

    search(study, Dice(), Lenient(), Crew(study, local(odd_jobs.killed), splits), lambda: False)

    (result,) = study.state.results
    assert (result.status, result.failure.kind) == (Status.FAILED, "lost")
    assert list(study.state.attempts.values()) == [3]


@pytest.mark.promise("20")
def test_the_trace_of_a_crash_is_kept_with_the_failure(local, recipe):
    executor = local(odd_jobs.crashed, recipe)

    executor.submit(order())

    trace = hear(executor)[-1].failure.traceback
    assert trace.startswith("Fatal Python error: Segmentation fault")
    assert "in crashed" in trace
    assert b"Segmentation fault" in logged(recipe)


@pytest.mark.promise("22", "P14")
@pytest.mark.parametrize("ends", ["well", "exit", "crash", "hang"])
def test_what_a_trial_started_ends_with_it_however_it_ends(local, ends):
    executor = local(odd_jobs.breeds, seconds=2.0)
    executor.submit(order(ends=ends))
    measure = hear(executor, until=Measure)[-1]

    hear(executor)

    patience = time.monotonic() + 5
    while not gone(measure.metrics.values(), within=0.01) and time.monotonic() < patience:
        list(executor.events(0.1))
    assert gone(measure.metrics.values(), within=0.1)


@pytest.mark.promise("22")
@pytest.mark.parametrize("ends", ["crash", "hang"])
def test_what_a_spawned_trial_started_ends_with_it_or_when_the_study_is_left(tensorflow, local, ends):  # noqa: F811
    tensorflow()
    executor = local(odd_jobs.breeds, method="spawn")
    executor.submit(order(ends=ends))
    measure = hear(executor, until=Measure, patience=60)[-1]
    if ends == "crash":
        hear(executor)

    executor.close()

    assert gone(measure.metrics.values())


@pytest.mark.promise("22")
def test_processes_that_were_asked_for_are_not_taken_for_orphans(local):
    executor = local(odd_jobs.alive_but_slow, recipe=5, count=2)
    executor.submit(order(0))
    executor.submit(order(1))

    process.call(odd_jobs.loaded)  # whose end has the orphans ended

    assert [hear(executor)[-1].how, hear(executor)[-1].how] == [How.FINISHED, How.FINISHED]


@pytest.mark.promise("31", "P15")
def test_a_worker_that_ignores_every_word_is_killed_after_a_grace(local, monkeypatch):
    monkeypatch.setattr("hpsearch.executors.hands.GRACE_SECONDS", 0.5)
    executor = local(odd_jobs.ignores_every_word)
    executor.submit(order())

    executor.stop(Attempt(Fit(0, 1)), "interrupted", at_once=True)

    end = hear(executor, patience=10)[-1]
    assert (end.how, end.reason) == (How.LOST, "was killed, since it did not heed its stop for 0.5 s")


@pytest.mark.parametrize("work", [odd_jobs.talks_too_much, odd_jobs.talks_nonsense])
def test_a_message_that_is_enormous_or_cannot_be_read_fails_its_attempt_alone(local, work):
    executor = local(work)

    executor.submit(order())

    end = hear(executor)[-1]
    assert (end.how, end.failure.kind) == (How.FINISHED, "message")
    assert executor.free() == 1


@pytest.mark.promise("32")
def test_of_what_a_trial_prints_the_beginning_and_the_end_are_kept(local, recipe):
    executor = local(odd_jobs.says_much, 100)
    executor._recipe = recipe  # its processes have been told of megabytes in place of a recipe

    executor.submit(order())
    hear(executor)
    executor.close()

    kept = logged(recipe)
    assert kept.startswith(b"the first line")
    assert kept.endswith(b"the last line\n")
    assert b"bytes are left out here" in kept
    assert 9 * MB < len(kept) < 11 * MB


@pytest.mark.promise("1", "2", "3", "5", "10")
@pytest.mark.parametrize(
    ("point", "trained"),
    [
        ("before it asks", ["2/1", "2/2", "2/3", "2/4"]),
        ("in build_model", ["2/1", "2/2", "2/3", "2/4"]),
        ("epoch 3", ["1/1", "1/2", "1/3", "2/4"]),
        ("before it reports", ["1/1", "1/2", "1/3", "1/4"]),
    ],
)
def test_a_worker_killed_at_any_point_is_replaced_and_the_study_ends_as_if_undisturbed(
    begin,  # noqa: F811
    local,
    tmp_path,
    point,
    trained,
):
    study, splits = begin(search={"trials": 1})
    executor = local(odd_jobs.killed_at, (point, str(tmp_path), 4))

    search(study, Dice(), Lenient(), Crew(study, executor, splits), lambda: False)

    (result,) = study.state.results
    assert (tmp_path / "trained").read_text().split() == trained
    assert result.status is Status.COMPLETED
    assert result.score == result.trial.values["x"] * 4
    records = [news.body for news in study.ledger.read()]
    assert [end.how for end in records if isinstance(end, AttemptEnd)] == [How.LOST, How.FINISHED]
    assert len([record for record in records if isinstance(record, Answered)]) == 1


@pytest.mark.promise("10", "40")
@pytest.mark.parametrize("at", [Asked, Answered, TrialResult])
def test_an_oracle_that_somebody_kills_is_replaced_and_the_study_ends_as_if_undisturbed(begin, tmp_path, at):  # noqa: F811
    study, splits = begin()
    straight = Study(study.experiment, paths.Study(files.make(tmp_path / "straight")))
    killed = plugins.make("tuners", "keras-tuner.random", {})
    written = iter(range(100))

    def kill(news):
        if isinstance(news.body, at) and next(written) == 1:
            os.kill(killed._process.pid, signal.SIGKILL)

    study.listen(kill)
    for one, tuner in ((straight, plugins.make("tuners", "keras-tuner.random", {})), (study, killed)):
        tuner.begin(one.brief(one.hand_over()))
        search(one, tuner, Lenient(), Crew(one, Instant(), splits), lambda: False)
        tuner.close()

    assert [result.trial for result in study.state.results] == [result.trial for result in straight.state.results]
    assert next(written) > 2


@pytest.mark.promise("27")
def test_so_many_failures_in_a_row_stop_the_search_and_more_may_be_allowed_later(begin, local):  # noqa: F811
    study, splits = begin(search={"trials": 30, "max_consecutive_failures": 2})

    with pytest.raises(HpsearchError, match=r"2 trials in a row failed \(search.max_consecutive_failures\)"):
        search(study, Dice(), Lenient(), Crew(study, local(odd_jobs.gone), splits), lambda: False)

    more = study.experiment.search.model_copy(update={"max_consecutive_failures": 20, "trials": 4})
    study.experiment = study.experiment.model_copy(update={"search": more})
    search(study, Dice(), Lenient(), Crew(study, local(odd_jobs.honest), splits), lambda: False)
    assert [result.status for result in study.state.results] == [Status.FAILED] * 2 + [Status.COMPLETED] * 2
    assert study.state.failures_in_a_row == 0
