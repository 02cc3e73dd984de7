"""Steps are compiled where it was asked for or measured to pay; a study keeps what its first session chose."""

import json
from pathlib import Path

import platformdirs
import pytest

from hpsearch import pace
from hpsearch.executors import capacity
from hpsearch.experiment import Train
from hpsearch.orders import Slot, Steps
from hpsearch.worker import process, speeds

SPEEDS = {  # milliseconds a step, plain and in the variant
    "XLA": {"dense": (2.0, 1.0), "convolutional": (10.0, 8.9)},
    "bfloat16": {"dense": (2.0, 1.0), "convolutional": (10.0, 9.1)},
}

LONG = pace.SHORT  # images trained on in a fit


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HPSEARCH_DATA", str(tmp_path))
    return tmp_path


def fails(function):
    raise AssertionError(function)


@pytest.fixture
def calls():
    return []


@pytest.fixture
def call(calls):
    def call(function, variants):
        calls.append((function, tuple(variants)))
        return {variant: SPEEDS[variant] for variant in variants}

    return call


def test_what_makes_both_kinds_of_network_faster_by_a_tenth_pays(call):
    assert pace.settle(Train(compile="auto", precision="auto"), LONG, {}, call) == Steps(xla=True, precision="float32")


def test_a_slower_dense_network_is_enough_to_tell_that_a_variant_does_not_pay():
    assert not speeds.pays({"dense": (2.0, 1.9)})


def test_fits_too_short_to_make_up_for_compiling_are_not_measured_for_it(call, calls):
    chosen = pace.settle(Train(compile="auto", precision="auto"), LONG - 1, {}, call)

    assert chosen == Steps(xla=False)
    assert calls == [(speeds.measure, ("bfloat16",))]


def test_what_is_asked_for_outright_is_not_measured():
    train = Train(compile=True, precision="mixed_float16")

    assert pace.settle(train, LONG, {}, fails) == Steps(xla=True, precision="mixed_float16")


def test_a_later_session_keeps_what_the_first_one_chose():
    before = {"steps": json.dumps({"xla": True, "precision": "float32"})}

    assert pace.settle(Train(compile="auto"), LONG, before, fails) == Steps(xla=True)


def test_what_is_asked_for_is_measured_once_a_machine(call, calls):
    for _ in range(2):
        pace.settle(Train(compile="auto"), LONG, {}, call)

    assert calls == [(speeds.measure, ("XLA",))]


def test_what_a_later_experiment_asks_for_is_measured_then(call, calls):
    wanted = [Train(compile="auto"), Train(compile="auto", precision="auto"), Train(compile="auto", precision="auto")]

    chosen = [pace.settle(train, LONG, {}, call) for train in wanted]

    assert calls == [(speeds.measure, ("XLA",)), (speeds.measure, ("bfloat16",))]
    assert chosen == [Steps(xla=True)] * 3


def test_a_card_is_measured_once_however_much_of_its_memory_is_free(call, calls):
    for card in (Slot("GPU-1", "NVIDIA T4", 6464), Slot("GPU-1", "NVIDIA T4", 12928), Slot("GPU-2", "NVIDIA T4", 6464)):
        pace.settle(Train(compile="auto"), LONG, {}, call, capacity.words([card, card]))

    assert len(calls) == 2


@pytest.mark.parametrize("place", ["a file", "no home"])
def test_what_cannot_be_kept_for_the_next_study_is_of_use_to_this_one(monkeypatch, tmp_path, call, place):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    if place == "a file":
        monkeypatch.setenv("HPSEARCH_DATA", str(tmp_path / "file" / "cache"))
    else:
        monkeypatch.delenv("HPSEARCH_DATA")
        monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: Path("~/.cache", name))  # as older ones

    chosen = pace.settle(Train(compile="auto"), LONG, {}, call)

    assert chosen == Steps(xla=True)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_measurement_that_fails_leaves_plain_steps():
    assert pace.settle(Train(compile="auto", precision="auto"), LONG, {}, fails) == Steps()


def test_every_variant_is_really_measured():
    measured = process.call(speeds.measure, tuple(speeds.VARIANTS), slot=Slot())

    assert set(measured) == set(speeds.VARIANTS)
    for networks in measured.values():
        assert list(networks) in (["dense"], ["dense", "convolutional"])
        assert all(milliseconds > 0 for pair in networks.values() for milliseconds in pair)
