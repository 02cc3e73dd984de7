"""Steps are compiled where it was asked for or measured to pay; a study keeps what its first session chose."""

import json

import pytest

from hpsearch import pace
from hpsearch.executors import capacity
from hpsearch.experiment import Train
from hpsearch.orders import Slot, Steps
from hpsearch.worker import process, speeds

SLOWER = {"dense XLA": 9.0, "convolutional XLA": 30.0, "dense bfloat16": 1.0, "convolutional bfloat16": 9.5}
PLAIN = {"dense float32": 2.0, "convolutional float32": 10.0}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def fails(function):
    raise AssertionError(function)


def test_what_is_slower_or_gains_less_than_a_tenth_does_not_pay():
    assert pace.paying(PLAIN | SLOWER) == Steps(xla=False, precision="float32")


def test_what_makes_both_kinds_of_network_faster_pays():
    faster = {"dense XLA": 1.0, "convolutional XLA": 5.0, "dense bfloat16": 1.0, "convolutional bfloat16": 5.0}

    assert pace.paying(PLAIN | faster) == Steps(xla=True, precision="mixed_bfloat16")


def test_what_is_asked_for_outright_is_not_measured():
    train = Train(compile=True, precision="mixed_float16")

    assert pace.settle(train, {}, fails) == Steps(xla=True, precision="mixed_float16")


def test_a_later_session_keeps_what_the_first_one_chose():
    before = {"steps": json.dumps({"xla": True, "precision": "float32"})}

    assert pace.settle(Train(compile="auto"), before, fails) == Steps(xla=True)


def test_a_machine_is_measured_once(cache):
    calls = []

    def call(function):
        calls.append(function)
        return PLAIN | SLOWER

    chosen = [pace.settle(Train(compile="auto"), {}, call) for _ in range(2)]

    assert chosen == [Steps(), Steps()]
    assert calls == [speeds.measure]


def test_a_card_is_measured_once_however_much_of_its_memory_is_free():
    calls = []

    def call(function):
        calls.append(function)
        return PLAIN | SLOWER

    for card in (Slot("GPU-1", "NVIDIA T4", 6464), Slot("GPU-1", "NVIDIA T4", 12928), Slot("GPU-2", "NVIDIA T4", 6464)):
        pace.settle(Train(compile="auto"), {}, call, capacity.words([card, card]))

    assert len(calls) == 2


def test_a_measurement_that_fails_leaves_plain_steps():
    assert pace.settle(Train(compile="auto", precision="auto"), {}, fails) == Steps()


def test_every_variant_of_both_networks_is_really_measured():
    measured = process.call(speeds.measure, slot=Slot())

    assert set(measured) == set(PLAIN | SLOWER)
    assert all(milliseconds > 0 for milliseconds in measured.values())
