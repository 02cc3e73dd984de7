"""Cards are found without TensorFlow, divided into slots, and taken by a spawned process before TensorFlow sees any.

No card is needed: `nvidia-smi` is a small program of the test's own, and so is the `tensorflow` that spawned
processes import where a card must seem to be there.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import odd_jobs
import pytest

from hpsearch import cards, machine
from hpsearch.errors import ExperimentRefused
from hpsearch.executors import capacity
from hpsearch.executors.local import Local
from hpsearch.orders import Order, Slot
from hpsearch.trial import Attempt, AttemptEnd, Fit, How
from hpsearch.worker import ending, place, starting

TWO = "GPU-aa11-x, NVIDIA RTX A2, 8000\nGPU-bb22-x, NVIDIA T4, Tesla, 16000"
TENSORFLOW = """
import os
import sys
from types import ModuleType

from hpsearch.worker import quiet

sys.modules |= {name: ModuleType(name) for name in ("keras", "keras_tuner")}  # which would want the real one,
quiet.OURS = ()  # as would what builds on them
visible, asked = os.environ.get("CUDA_VISIBLE_DEVICES"), []
grows = os.environ.get("TF_FORCE_GPU_ALLOW_GROWTH")


class threading:
    set_intra_op_parallelism_threads = set_inter_op_parallelism_threads = lambda number: None


class config:
    threading = threading
    LogicalDeviceConfiguration = lambda memory_limit: memory_limit
    list_physical_devices = lambda kind: SEEN
    set_visible_devices = lambda devices, kind: None
    set_logical_device_configuration = lambda card, limits: asked.append(f"{card}: {limits}")
"""
EXPERIMENT = """
name = "small"
[model]
build = "mlp:build"
[search]
trials = 3
[workers]
"""


@pytest.fixture(autouse=True)
def no_card(monkeypatch, tmp_path):
    starting.warm_up()  # later tests fork from this process, which keeps the PATH it began with
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


@pytest.fixture
def nvidia_smi(tmp_path):
    def nvidia_smi(says, code=0):
        program = tmp_path / "bin" / "nvidia-smi"
        program.write_text(f"#!/bin/sh\nprintf '%s\\n' '{says}'\nexit {code}\n")
        program.chmod(0o755)

    return nvidia_smi


@pytest.fixture
def tensorflow(monkeypatch, tmp_path):
    def tensorflow(seen="visible.split(',')"):
        (tmp_path / "stand-in").mkdir()
        (tmp_path / "stand-in" / "tensorflow.py").write_text(TENSORFLOW.replace("SEEN", seen))
        monkeypatch.syspath_prepend(tmp_path / "stand-in")  # a spawned process searches where its parent does

    return tensorflow


@pytest.fixture
def local():
    made = []

    def local(*arguments, **options):
        made.append(Local(*arguments, **options))
        return made[-1]

    yield local
    for executor in made:
        executor.close()


def order(number, **values):
    return Order(Attempt(Fit(number, 1)), Path("split.npz"), values)


def ends(executor, count):
    heard, patience = [], time.monotonic() + 120
    while len(heard) < count:
        assert time.monotonic() < patience
        heard += [event for event in executor.events(0.2) if isinstance(event, AttemptEnd)]
    return heard


def test_cards_are_those_that_nvidia_smi_lists_by_their_uuids(nvidia_smi):
    nvidia_smi(TWO)

    found = cards.find().cards

    assert found == (
        cards.Card("GPU-aa11-x", "NVIDIA RTX A2", 8000),
        cards.Card("GPU-bb22-x", "NVIDIA T4, Tesla", 16000),
    )


@pytest.mark.parametrize(
    ("visible", "chosen"),
    [
        ("1", [("1", 16000)]),
        ("GPU-bb22,0", [("GPU-bb22", 16000), ("0", 8000)]),
        ("0,7,1", [("0", 8000)]),
        ("-1", []),
        ("", []),
    ],
)
def test_cuda_visible_devices_chooses_among_them_as_for_cuda(nvidia_smi, monkeypatch, visible, chosen):
    nvidia_smi(TWO)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    found = cards.find()

    assert [(card.visible, card.free) for card in found.cards] == chosen
    assert repr(visible) in found.why


def test_a_card_whose_free_memory_cannot_be_told_is_a_card_all_the_same(nvidia_smi):
    nvidia_smi("GPU-cc33-x, NVIDIA GB10, [N/A]")

    (slot,) = capacity.slots("auto", 1, 1, spares=False)

    assert (slot.card, slot.memory) == ("GPU-cc33-x", None)


def test_without_nvidia_smi_there_are_no_cards_and_the_reason_is_given():
    found = cards.find()

    assert found == cards.Found((), "there is no nvidia-smi on the PATH")


def test_a_driver_out_of_order_is_told_in_nvidia_smis_own_words(nvidia_smi):
    nvidia_smi("Failed to initialize NVML: Driver/library version mismatch\nmore", code=18)

    found = cards.find()

    assert found == cards.Found((), "nvidia-smi says: Failed to initialize NVML: Driver/library version mismatch")


def test_slots_take_turns_over_the_cards_and_share_their_free_memory(nvidia_smi):
    nvidia_smi(TWO)

    slots = capacity.slots("auto", 2, 2, spares=False)

    assert [slot.card for slot in slots] == ["GPU-aa11-x", "GPU-bb22-x", "GPU-aa11-x", "GPU-bb22-x"]
    assert [slot.memory for slot in slots[:2]] == [4000 - capacity.OUTSIDE_MIB, 8000 - capacity.OUTSIDE_MIB]


def test_a_count_of_workers_bounds_the_slots(nvidia_smi):
    nvidia_smi(TWO)

    slots = capacity.slots(3, 2, 2, spares=False)

    assert [slot.card for slot in slots] == ["GPU-aa11-x", "GPU-bb22-x", "GPU-aa11-x"]


def test_auto_trains_on_the_processor_where_there_is_no_card():
    slots = capacity.slots(2, "auto", 1, spares=False)

    assert slots == (Slot(), Slot())


@pytest.mark.promise("60")
def test_a_number_of_cards_that_are_not_there_is_refused(nvidia_smi):
    nvidia_smi(TWO)

    with pytest.raises(ExperimentRefused, match="3 cards asked for, 2 found: nvidia-smi lists 2"):
        Local(gpus=3)


@pytest.mark.parametrize(
    ("built", "said"),
    [("True", "2 nvidia-smi lists 2"), ("False", "0 the installed TensorFlow is made for the processor only")],
)
def test_cards_are_of_use_only_to_a_tensorflow_that_is_made_for_them(nvidia_smi, tmp_path, built, said):
    nvidia_smi(TWO)
    folder = tmp_path / "tensorflow" / "python" / "platform"
    folder.mkdir(parents=True)
    (tmp_path / "tensorflow" / "__init__.py").write_text("raise ImportError('it must not be imported')")
    (folder / "build_info.py").write_text(f"build_info = dict([('is_cuda_build', {built}), ('is_rocm_build', False)])")
    program = "from hpsearch import cards; found = cards.usable(); print(len(found.cards), found.why)"
    around = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}

    done = subprocess.run([sys.executable, "-c", program], env=around, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == said


@pytest.mark.parametrize(
    ("workers", "said"),
    [
        ("gpus = 1", "1 card asked for, none found: there is no nvidia-smi on the PATH"),
        ("gpus = true", 'workers.gpus is true, but must be "auto", false, or a whole number from 1 to 64'),
        ('gpus = "auto"\nkind = "inline"', "'inline' takes no gpus"),
    ],
)
def test_check_refuses_cards_that_cannot_be_and_says_how_to_mend_it(tmp_path, workers, said):
    done = check(tmp_path, workers)

    assert done.returncode == 2
    assert f"x.toml, line 8: {said}" in done.stderr or f"x.toml, line 9: {said}" in done.stderr
    assert "false" in done.stderr or "local" in done.stderr


def test_check_has_nothing_against_auto_without_a_card(tmp_path):
    done = check(tmp_path, 'gpus = "auto"\nper_gpu = 2')

    assert (done.returncode, done.stderr) == (0, "")
    assert 'gpus = "auto"' in done.stdout


def check(folder, workers):
    (folder / "mlp.py").write_text("def build(hp):\n    return None\n")
    (folder / "x.toml").write_text(EXPERIMENT + workers)
    command = [sys.executable, "-m", "hpsearch", "check", str(folder / "x.toml")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_process_shows_tensorflow_one_card_and_a_share_of_it_before_it_is_imported(nvidia_smi, tensorflow, local):
    nvidia_smi(TWO)
    tensorflow()
    executor = local(2, odd_jobs.surroundings, gpus=2)
    executor.open(None)

    executor.submit(order(0))
    executor.submit(order(1))

    found = [json.loads(end.reason) for end in ends(executor, 2)]
    assert {one["visible"] for one in found} == {"GPU-aa11-x", "GPU-bb22-x"}
    assert all(one["visible"] == one["at_import"] for one in found)
    assert all(one["warm"] for one in found)
    assert all(one["grows"] == "true" for one in found)
    assert sorted(one["asked"][-1] for one in found) == ["GPU-aa11-x: [6464]", "GPU-bb22-x: [14464]"]


def test_the_next_attempt_comes_to_the_card_that_is_free(nvidia_smi, tensorflow, local):
    nvidia_smi(TWO)
    tensorflow()
    executor = local("auto", odd_jobs.surroundings, gpus=2)
    executor.open(None)
    executor.submit(order(0, **{"until told": True}))
    executor.submit(order(1))
    (before,) = ends(executor, 1)

    executor.submit(order(2))

    (after,) = ends(executor, 1)
    assert (before.attempt.fit.trial, after.attempt.fit.trial) == (1, 2)
    assert json.loads(before.reason)["visible"] == json.loads(after.reason)["visible"]


@pytest.mark.promise("60")
def test_a_card_that_tensorflow_does_not_see_is_refused_before_the_first_attempt(nvidia_smi, tensorflow, local):
    nvidia_smi(TWO)
    tensorflow(seen="[]")
    executor = local("auto", odd_jobs.surroundings, gpus=1)

    with pytest.raises(ExperimentRefused, match=r"TensorFlow sees no card where GPU-aa11-x should be\n  the driver or"):
        executor.open(None)


@pytest.mark.promise("60")
def test_a_card_that_goes_later_fails_the_attempt_with_the_reason(tensorflow):
    tensorflow(seen="[]")
    waiting, line = starting.fresh(place.work, Slot("GPU-aa11-x"), odd_jobs.surroundings, None, method="spawn")

    line.send(order(0))

    end = line.recv()
    ending.kill(waiting)
    assert (end.how, end.failure.kind) == (How.FINISHED, "ExperimentRefused")
    assert "TensorFlow sees no card" in end.failure.message


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")
def test_a_worker_on_the_processor_sees_no_card_and_takes_one_thread(nvidia_smi, local):
    nvidia_smi(TWO)
    executor = local(1, odd_jobs.surroundings)
    executor.start()
    executor.open(None)

    executor.submit(order(0))

    (end,) = ends(executor, 1)
    assert json.loads(end.reason)["visible"] == "-1"
    assert executor.call(threads) == machine.cores()
    assert executor.where == ""


def threads():
    import tensorflow as tf

    return tf.config.threading.get_intra_op_parallelism_threads()


def test_the_cards_and_their_slots_are_told_in_words(nvidia_smi):
    nvidia_smi(TWO)

    first, second = Local(3, gpus=2, per_gpu=2).where.split("; ")

    assert first == "NVIDIA RTX A2 (GPU-aa11-x): 2 slots of 2,464 MiB"
    assert second == "NVIDIA T4, Tesla (GPU-bb22-x): 1 slot of 6,464 MiB"


def test_the_check_for_owners_of_a_card_says_when_there_is_none():
    script = Path(__file__).parents[1] / "benchmarks" / "gpu_check.py"

    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, "no card here: there is no nvidia-smi on the PATH\n")
