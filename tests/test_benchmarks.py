"""What the benchmarks say of their measurements; nothing is measured here."""

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
from waiting import wait_until

import reporting
import same_work_report
import time_to_accuracy
import time_to_accuracy_report
from arrivals import Arrivals, first_at, ratio
from pools import pool
from reporting import Result
from results import cell, page
from runs import Broken, Runs, one_machine, refuse_other_machine
from sides.job import Diary
from sides.running import NEEDS, follow, possible
from sides.via_hpsearch import write_experiment

MACHINE = {"processor": "slow", "cores": 2, "date": "2026-11-25"}


def ended(pid):
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


SLEEP_SECONDS, SPEED = 60.0, 100.0


def note_and_sleep(path):
    path.write_text(str(os.getpid()))
    time.sleep(SLEEP_SECONDS)


@pytest.fixture(autouse=True)
def _of_one_speed(monkeypatch):
    monkeypatch.setattr(reporting, "speed", lambda: SPEED)


def arrivals(*times, limit=1800.0):
    return Arrivals(dict(enumerate(times)), limit)


def test_a_target_is_reached_at_the_first_accuracy_that_is_not_below_it_by_more_than_rounding():
    curve = [(10.0, 0.95), (20.0, 0.96999997), (30.0, 0.98)]

    assert first_at(curve, 0.97) == 20.0
    assert first_at(curve, 0.98) == 30.0
    assert first_at(curve, 0.99) is None


def test_the_ratio_is_that_of_the_medians_with_an_interval_around_it():
    found = ratio(arrivals(40.0, 50.0, 60.0, 70.0, 80.0), arrivals(10.0, 10.0, 10.0, 10.0, 10.0))

    assert found.value == 6.0
    assert 4.0 <= found.low < 6.0 < found.high <= 8.0
    assert str(found).startswith("6.0 × [")


def test_an_interval_is_one_of_95_percent_only_over_five_seeds():
    three, one = (arrivals(*times) for times in ((40.0, 60.0, 80.0), (40.0,)))

    assert str(ratio(three, arrivals(10.0, 10.0, 10.0))) == "6.0 × (4.0, 8.0) (not claimed)"
    assert str(ratio(one, arrivals(10.0))) == "4.0 × (not claimed)"


def test_the_upper_end_is_a_lower_bound_too_where_a_run_did_not_arrive():
    found = ratio(arrivals(100.0, 200.0, None), arrivals(10.0, 10.0, 10.0))

    assert str(found) == "≥ 20.0 × (10.0, ≥ 180.0) (not claimed)"


def test_seeds_that_only_one_side_has_run_are_left_out_of_the_ratio():
    found = ratio(Arrivals({1: 20.0, 2: 900.0}, 1800.0), Arrivals({1: 10.0, 3: 1.0}, 1800.0))

    assert found.value == 2.0


def test_nothing_is_compared_without_a_seed_that_both_sides_have_run():
    assert ratio(Arrivals({1: 20.0}, 1800.0), Arrivals({}, 1800.0)) is None


def test_a_run_that_does_not_arrive_counts_as_the_limit_and_makes_the_ratio_a_lower_bound():
    found = ratio(arrivals(100.0, 200.0, 300.0, None, None), arrivals(10.0, 10.0, 10.0, 10.0, 10.0))

    assert found.value == 30.0
    assert str(found).startswith("≥ 30.0 ×")
    assert found.claimed


def test_a_ratio_is_not_claimed_where_fewer_than_three_of_the_peers_runs_arrive():
    found = ratio(arrivals(100.0, 200.0, None, None, None), arrivals(10.0, 10.0, 10.0, 10.0, 10.0))

    assert str(found).startswith("≥ 180.0 ×")
    assert str(found).endswith("(not claimed)")


def test_a_ratio_is_not_claimed_where_the_peer_may_be_as_fast():
    found = ratio(arrivals(5.0, 9.0, 40.0, 50.0, 60.0), arrivals(10.0, 10.0, 10.0, 10.0, 10.0))

    assert found.value == 4.0
    assert str(found).endswith("(not claimed)")


def test_a_ratio_is_not_claimed_of_fewer_than_five_seeds():
    assert not ratio(arrivals(40.0, 60.0, 80.0, 90.0), arrivals(10.0, 10.0, 10.0, 10.0)).claimed


def test_a_ratio_is_not_claimed_where_one_of_our_own_runs_does_not_arrive():
    found = ratio(arrivals(100.0, 200.0, 300.0), arrivals(10.0, 20.0, None))

    assert str(found).endswith("(not claimed)")


def test_a_median_run_that_did_not_arrive_is_written_as_longer_than_the_limit():
    assert arrivals(100.0, 200.0, None).typical() == "200 s"
    assert arrivals(100.0, None, None).typical() == "≥ 1800 s"


def test_a_run_that_was_made_is_known_when_the_benchmark_is_started_again(tmp_path):
    run = {"side": "keras", "work": {"epochs": 5, "batch_size": 32}, "round": 0}
    Runs(tmp_path / "runs.jsonl", ("side", "work", "round")).add(run | {"seconds": 12.5})

    again = Runs(tmp_path / "runs.jsonl", ("side", "work", "round"))

    assert {"round": 0, "side": "keras", "work": {"batch_size": 32, "epochs": 5}} in again
    assert run | {"round": 1} not in again
    assert [known["seconds"] for known in again] == [12.5]


def test_runs_of_different_machines_are_not_put_into_one_table():
    with pytest.raises(SystemExit, match="different machines"):
        one_machine([{"machine": MACHINE}, {"machine": MACHINE | {"processor": "fast"}}])


def test_a_table_of_several_days_and_sources_names_them_all():
    days = [MACHINE | {"source": "a1", "gflops": 231}, MACHINE | {"date": "2026-11-27", "source": "b2", "gflops": 258}]

    facts = one_machine([{"machine": day} for day in days])

    assert (facts["date"], facts["source"], facts["gflops"]) == ("2026-11-25 to 2026-11-27", "a1, b2", "231 to 258")


def test_hours_are_not_spent_on_runs_that_fit_into_no_table():
    with pytest.raises(SystemExit, match=r"slow, 2 cores\n.*--out"):
        refuse_other_machine([{"machine": MACHINE}])


@pytest.mark.parametrize("times", [0.5, 2.0])
def test_runs_of_a_machine_of_another_speed_are_not_added_to(times):
    known = [{"machine": reporting.machine() | {"gflops": times * SPEED}}] * 3

    with pytest.raises(SystemExit, match="wait until it is quiet"):
        refuse_other_machine(known)


def test_runs_whose_speed_nobody_noted_may_be_added_to():
    refuse_other_machine([{"machine": {key: known for key, known in reporting.machine().items() if key != "gflops"}}])


def break_off(folder):
    with pool(1) as hands:
        for number in range(3):
            hands.submit(note_and_sleep, folder / str(number))
        while not (folder / "0").exists() or not (folder / "0").read_text():
            time.sleep(0.05)
        raise KeyboardInterrupt


def test_a_pool_ends_at_once_on_an_error_and_drops_what_waits(tmp_path):
    began = time.monotonic()

    with pytest.raises(KeyboardInterrupt):
        break_off(tmp_path)

    assert time.monotonic() - began < SLEEP_SECONDS
    assert ended(int((tmp_path / "0").read_text()))
    assert not (tmp_path / "2").exists()


def test_a_side_dies_with_a_benchmark_that_is_killed(tmp_path):
    diary = tmp_path / "diary.jsonl"
    side = (
        "import os, time; from sides.job import Diary; "
        f"Diary({str(diary)!r}).note('began', pid=os.getpid()); time.sleep(99)"
    )
    code = (
        "import sys; from pathlib import Path; from sides.job import Diary; from sides.running import follow; "
        f"follow([sys.executable, '-c', {side!r}], Path({str(tmp_path)!r}), Diary('none'), bool, 99.0)"
    )
    benchmark = subprocess.Popen([sys.executable, "-c", code], cwd=reporting.ROOT / "benchmarks")
    entries = []
    while not entries:
        assert benchmark.poll() is None
        entries = Diary(str(diary)).news()
        time.sleep(0.05)

    benchmark.kill()
    benchmark.wait()

    wait_until(lambda: ended(entries[0]["pid"]), seconds=10)


def test_a_diary_gives_each_whole_entry_once(tmp_path):
    path = tmp_path / "diary.jsonl"
    writing, reading = Diary(str(path)), Diary(str(path))
    writing.note("began")
    first = reading.news()
    writing.note("epoch", val_accuracy=0.5)
    with path.open("a") as file:
        file.write('{"what": "half')

    second = reading.news()

    assert [entry["what"] for entry in first] == ["began"]
    assert [entry["val_accuracy"] for entry in second] == [0.5]


def test_an_experiment_is_written_so_that_hpsearch_reads_the_same_values(tmp_path):
    import tomllib

    data = {"source": "idx", "folder": 'a "folder"', "transposed": True, "validation": 1 / 6}

    path = write_experiment(tmp_path, {"data": data}, seed=3)

    assert tomllib.loads(path.read_text())["data"] == data


def test_hpsearch_begins_at_random_where_its_side_says_so(tmp_path):
    import tomllib

    with_and_without = [
        write_experiment(
            tmp_path / str(number), {"search": time_to_accuracy.search_table(algorithm)}, seed=3
        ).read_text()
        for number, algorithm in enumerate(("optuna.tpe:asha", "optuna.tpe:asha:no-defaults", "optuna.random"))
    ]

    assert [tomllib.loads(text)["search"] for text in with_and_without] == [
        {"tuner": "optuna.tpe", "pruner": "asha"},
        {"tuner": "optuna.tpe", "pruner": "asha", "tuner_options": {"defaults_first": False}},
        {"tuner": "optuna.random", "pruner": "none"},
    ]


@pytest.mark.long
def test_a_peer_of_optunas_can_begin_with_the_defaults_of_the_space(tmp_path):
    code = (
        "import optuna; from sides import training; from sides.job import Job; "
        "shape = dict(image_shape=(28, 28, 1), rows=100, class_names=('a', 'b'), epochs=2, batch_size=10); "
        f"job = Job({str(tmp_path)!r}, 'searchspace.mlp:build_model_mlp', '', split='', validation_batch=10, seed=1, "
        "diary='', cores=2, algorithm='tpe-defaults', **shape); "
        "study = optuna.create_study(); study.enqueue_trial(training.defaults(job)); trial = study.ask(); "
        "hp = training.asking(job, lambda asked: training.suggested(trial, asked)); training.build(job, hp); "
        "stock = training.knowing(job, {}); training.build(job, stock); "
        "same = [hp.values[name] == stock.values[name] for name in trial.params]; "
        "print(job.defaults_first, len(same) > 5, all(same))"
    )

    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=reporting.ROOT / "benchmarks", capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (reporting.ROOT, reporting.ROOT / "benchmarks")))},
    )  # fmt: skip

    assert ran.stdout.split() == ["True"] * 3, ran.stderr


def same_work_run(side, seconds, accuracies=(0.9, 0.8)):
    work = {"space": "mlp", "batch_size": 32, "epochs": 5, "configurations": 10, "source": "mnist", "validation": 0.2}
    epochs = [[0, 5, seconds / 2], [1, 5, seconds / 2]]
    return {
        "side": side, "work": work, "round": 0, "machine": MACHINE, "load": 0.1, "to_last_trial": seconds,
        "search_alone": seconds - 1, "whole": seconds + 1, "epoch_seconds": epochs, "accuracies": list(accuracies),
        "ends": [seconds - 5, seconds - 2, seconds],
    }  # fmt: skip


def test_the_table_of_the_same_work_has_ours_first_and_each_side_as_a_multiple_of_it(tmp_path):
    runs = Runs(tmp_path / "runs.jsonl", ("side", "work", "round"))
    for run in (
        same_work_run("keras", 30.0),
        same_work_run("ray", 20.0),
        same_work_run("hpsearch", 10.0, (0.92, 0.82)),
    ):
        runs.add(run)

    same_work_report.report(runs, tmp_path, "python benchmarks/same_work.py")

    said = json.loads((tmp_path / "same-work-mlp-32.json").read_text())
    rows = [dict(zip(said["columns"], row, strict=True)) for row in said["rows"]]
    assert [row["side"] for row in rows] == ["hpsearch", "keras", "ray"]
    assert [row["× hpsearch, medians"] for row in rows] == [1.0, 3.0, 2.0]
    assert [row["search alone, median s"] for row in rows] == [9.0, 29.0, None]
    assert rows[0]["off the plain loop's, points"] == pytest.approx(2.0)
    assert (tmp_path / said["plot"]).exists()


def test_the_share_of_the_one_thread_rate_is_told_for_all_cores(tmp_path):
    runs = Runs(tmp_path / "runs.jsonl", ("side", "work", "round"))
    for run in (same_work_run("hpsearch", 11.0), same_work_run("one-thread", 19.0)):
        runs.add(run)

    same_work_report.report(runs, tmp_path, "")

    words = " ".join(json.loads((tmp_path / "same-work-mlp-32.json").read_text())["words"])
    assert "The search took 10.0 s: 90 % of that rate" in words
    assert "no configuration left, for 2.0 s taken together" in words
    assert "Without these seconds it reached 100 % of that rate" in words


def test_each_target_and_side_has_its_row(tmp_path):
    work = {
        "task": "mnist-mlp", "space": "mlp", "source": "mnist", "validation": 0.15, "epochs": 15, "batch_size": 128,
        "targets": [0.97, 0.98], "limit": 60.0,
    }  # fmt: skip
    curves = {"ours": [(5.0, 0.971), (9.0, 0.981)], "peer": [(20.0, 0.975)]}
    runs = [
        {"side": side, "work": work, "seed": seed, "curve": curve, "machine": MACHINE, "load": 0.0}
        for side, curve in curves.items()
        for seed in (1, 2, 3)
    ]

    time_to_accuracy_report.report(runs, "ours", tmp_path / "mnist-mlp", "")

    rows = json.loads((tmp_path / "mnist-mlp.json").read_text())["rows"]
    assert [row[:4] for row in rows] == [
        ["97 %", "ours", "3 of 3", "5 s"],
        ["97 %", "peer", "3 of 3", "20 s"],
        ["98 %", "ours", "3 of 3", "9 s"],
        ["98 %", "peer", "0 of 3", "≥ 60 s"],
    ]
    assert rows[1][5] == "4.0 × (4.0, 4.0) (not claimed)"
    assert rows[3][5] == "≥ 6.7 × (6.7, ≥ 6.7) (not claimed)"


def test_results_are_rendered_below_the_notes_in_the_order_of_their_files(tmp_path):
    (tmp_path / "notes.md").write_text("Written by hand.\n")
    Result("Second", "python b.py", ["side", "s"], [["a|b", 1234.5], ["c", None]]).write(
        tmp_path / "results" / "b.json"
    )
    Result(
        "First", "python a.py", ["what"], [["x"]], "quick", MACHINE, "a.png", ["It falls short."]
    ).write(tmp_path / "results" / "a.json")  # fmt: skip

    text = page(tmp_path / "results", tmp_path / "notes.md")

    assert text.index("Written by hand.") < text.index("## First") < text.index("## Second")
    assert "| a\\|b | 1,234 |\n| c | – |" in text
    assert "Hoped for: quick." in text
    assert "Measured on: processor slow, cores 2, date 2026-11-25." in text
    assert "![First](results/a.png)" in text
    assert "- It falls short." in text


def test_tables_of_one_title_are_told_apart_by_the_speed_of_their_machines(tmp_path):
    for name, speed in (("b", 200), ("slower/b", 90), ("c", "230 to 260")):
        Result("Time", f"python {name}.py", ["what"], [["x"]], machine={"gflops": speed}, plot="b.png").write(
            tmp_path / "results" / f"{name}.json"
        )

    text = page(tmp_path / "results", tmp_path / "notes.md")

    assert [line for line in text.splitlines() if line.startswith("##")] == [
        "## Time, at 200 GFLOP/s", "## Time, at 90 GFLOP/s", "## Time, at 230 to 260 GFLOP/s",
    ]  # fmt: skip
    assert "(results/slower/b.png)" in text


def test_a_page_without_results_says_so(tmp_path):
    assert "Nothing has been measured yet." in page(tmp_path / "results", tmp_path / "notes.md")


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "–"), (12345.6, "12,346"), (0.123456, "0.123"), (2.0, "2.00"), (7, "7"), (0.0, "0")]
)
def test_numbers_are_shown_with_three_digits(value, shown):
    assert cell(value) == shown


def test_a_side_whose_package_is_not_installed_is_left_out_with_a_word(monkeypatch, capsys):
    monkeypatch.setitem(NEEDS, "ray", "no_such_package")

    sides = possible(["hpsearch:optuna.tpe:asha", "ray:tpe", "optuna:tpe"])

    assert sides == ["hpsearch:optuna.tpe:asha", "optuna:tpe"]
    assert "ray:tpe is left out: no_such_package is not installed (make peers)" in capsys.readouterr().err


def test_a_side_that_breaks_is_told_of_and_tried_again_the_next_time(tmp_path, capsys):
    def breaking():
        raise Broken("it ended with code 1")

    runs = Runs(tmp_path / "runs.jsonl", ("side",))

    assert runs.make({"side": "ray"}, breaking) is None
    made = runs.make({"side": "keras"}, lambda: {"seconds": 1.0})

    assert made == {"side": "keras", "began": made["began"], "seconds": 1.0}

    assert "it ended with code 1" in capsys.readouterr().err
    assert runs.broken == 1
    assert {"side": "ray"} not in Runs(tmp_path / "runs.jsonl", ("side",))


def test_a_command_that_ends_by_itself_is_followed_to_its_end(tmp_path):
    diary = tmp_path / "diary.jsonl"
    code = f"from sides.job import Diary; Diary({str(diary)!r}).note('epoch', val_accuracy=0.5)"

    ran = follow([sys.executable, "-c", code], tmp_path, Diary(str(diary)), lambda _entry: False, 60.0)

    assert ran.ended == "by itself"
    assert [entry["what"] for entry in ran.entries] == ["epoch"]
    assert 0 < ran.entries[0]["seconds_in"] <= ran.seconds


def test_a_command_is_ended_with_all_its_processes_when_enough_is_known(tmp_path):
    diary = tmp_path / "diary.jsonl"
    code = (
        "import subprocess, sys; from sides.job import Diary; "
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); "
        f"Diary({str(diary)!r}).note('child', pid=child.pid); child.wait()"
    )

    ran = follow([sys.executable, "-c", code], tmp_path, Diary(str(diary)), lambda _entry: True, 60.0)

    assert ran.ended == "enough"
    assert ended(ran.entries[0]["pid"])


def test_a_command_that_fails_is_broken_with_what_it_said(tmp_path):
    with pytest.raises(Broken, match="no such luck"):
        follow([sys.executable, "-c", "raise SystemExit('no such luck')"], tmp_path, Diary("none"), bool, 60.0)


def test_the_command_of_a_result_asks_for_all_of_it_and_names_no_place(monkeypatch):
    program = str(reporting.ROOT / "benchmarks" / "same_work.py")
    words = [program, "--rounds", "3", "--sides", "ray", "keras", "--data", "/home/me/mnist", "--out", "elsewhere"]
    monkeypatch.setattr("sys.argv", words)

    assert reporting.command("--sides", "--out") == "python benchmarks/same_work.py --rounds 3 --data '…/mnist'"


@pytest.mark.parametrize(("before", "after"), [("SIG_IGN", "alive"), ("SIG_DFL", "")])
def test_a_closed_terminal_ends_a_benchmark_unless_nohup_has_it_ignored(before, after):
    code = (
        "import os, signal; from sides.running import heed_signals; "
        f"signal.signal(signal.SIGHUP, signal.{before}); heed_signals(); "
        "os.kill(os.getpid(), signal.SIGHUP); print('alive')"
    )

    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=reporting.ROOT / "benchmarks", capture_output=True, text=True, check=False
    )

    assert (ran.stdout.strip(), ran.returncode) == (after, 0 if after else 128 + signal.SIGHUP)
