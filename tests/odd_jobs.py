"""What the processes of the executor's tests do: real processes over real pipes, without TensorFlow."""

import atexit
import ctypes
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

from hpsearch.space import Parameter
from hpsearch.trial import AttemptEnd, Built, How, Measure
from hpsearch.worker.wire import Stopped, Wire

X = Parameter("x", "float", 0.5, low=0.0, high=1.0)
RATE = Parameter("rate", "float", 0.5, low=0.0, high=1.0)


def honest(line, recipe):
    order = line.recv()
    wire = Wire(line, order.attempt)
    x = order.values["x"] if "x" in order.values else wire.ask(X)
    wire.tell(Built(order.attempt, 1, "", "none"))
    for epoch in range(1, recipe + 1):
        if stop := wire.stopped():
            line.send(AttemptEnd(order.attempt, How.INTERRUPTED, 0.0, reason=stop.reason))
            return
        wire.tell(Measure(order.attempt, epoch, {"val_accuracy": x}, 0.0))
        time.sleep(0.01)
    line.send(AttemptEnd(order.attempt, How.FINISHED, 0.0, x, recipe, recipe))


def rated(line, recipe):
    """Asks for a rate unless it knows it, and measures so many epochs, if any, before it dies."""
    order = line.recv()
    wire = Wire(line, order.attempt)
    if recipe is None:
        os.kill(os.getpid(), signal.SIGKILL)
    try:
        rate = order.values["rate"] if "rate" in order.values else wire.ask(RATE)
        wire.tell(Built(order.attempt, 1, "", "none"))
        for epoch in range(1, recipe + 1):
            time.sleep(0.01)
            leave_if_told(wire)
            wire.tell(Measure(order.attempt, epoch, {"val_accuracy": rate}, 0.0))
    except Stopped as stopped:
        wire.tell(AttemptEnd(order.attempt, How.INTERRUPTED, 0.0, reason=stopped.reason))
    else:
        wire.tell(AttemptEnd(order.attempt, How.FINISHED, 0.0, rate, recipe, recipe))


def leave_if_told(wire):
    if stop := wire.stopped():
        raise Stopped(stop.reason)


def patient(line, recipe):
    order = line.recv()
    wire = Wire(line, order.attempt)
    try:
        wire.ask(X)
    except Stopped as stopped:
        line.send(AttemptEnd(order.attempt, How.INTERRUPTED, 0.0, reason=stopped.reason))


def killed(line, recipe):
    line.recv()
    os.kill(os.getpid(), signal.SIGKILL)


def crashed(line, recipe):
    line.recv()
    ctypes.string_at(0)


def laden(line):
    """Has what Python would take long to take apart at its end, and last words in hand."""
    atexit.register(time.sleep, 60)
    line.send("loaded")
    print("last words", end="")


def gone(line, recipe):
    line.recv()
    os._exit(7)


def left(line, recipe):
    line.recv()
    sys.exit(3)


def gone_by_minus_one(line, recipe):
    line.recv()
    os._exit(-1)


def raised(line, recipe):
    line.recv()
    raise KeyError("no such layer")


def aborted(line, recipe):
    line.recv()
    os.abort()


def loses_its_log(line, recipe):
    log = recipe.fits / line.recv().attempt.fit.name / "log.txt"
    while not log.exists():
        time.sleep(0.01)
    log.unlink()
    os.abort()


def hoards(line, recipe):
    """Holds 16 MB more every hundredth of a second, up to 1 GB."""
    line.recv()
    held = []
    for _ in range(64):
        held.append(bytearray(b"x") * (16 << 20))
        time.sleep(0.01)
    time.sleep(60)


def reads_a_cut_file(line, recipe):
    import numpy as np

    line.recv()
    np.save(recipe, np.zeros(1 << 20, np.uint8))
    images = np.load(recipe, mmap_mode="c")
    os.truncate(recipe, 1000)
    images.sum()


def hangs(line, recipe):
    line.recv()
    time.sleep(1000)


def ignores_every_word(line, recipe):
    line.recv()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        time.sleep(1000)


def alive_but_slow(line, recipe):
    order = line.recv()
    wire = Wire(line, order.attempt)
    for _ in range(recipe):
        time.sleep(0.2)
        wire.beat()
    line.send(AttemptEnd(order.attempt, How.FINISHED, 0.0, 0.5, 1, 1))


def talks_without_end(line, recipe):
    wire = Wire(line, (attempt := line.recv().attempt))
    for epoch in range(1, sys.maxsize):
        wire.tell(Measure(attempt, epoch, {"val_accuracy": 0.5}, 0.0))


def signs_in_and_hangs(line, recipe):
    """Says its pid as a metric and is silent from then on."""
    order = line.recv()
    Wire(line, order.attempt).tell(Measure(order.attempt, 1, {"pid": float(os.getpid())}, 0.0))
    time.sleep(1000)


def talks_too_much(line, recipe):
    order = line.recv()
    line.send(Built(order.attempt, 1, "x" * (20 << 20), "none"))


class _OnlyHere(str):
    __slots__ = ()

    def __reduce__(self):
        return exec, ("raise ValueError('read me not')",)


def talks_nonsense(line, recipe):
    order = line.recv()
    line.send(Built(order.attempt, 1, _OnlyHere("a model"), "none"))
    time.sleep(1000)


def says_much(line, recipe):
    """Prints a first line, so many megabytes of anything, and a last line."""
    order = line.recv()
    print("the first line")
    subprocess.run(["head", "-c", str(recipe * 1_000_000), "/dev/zero"], check=True)
    print("the last line")
    line.send(AttemptEnd(order.attempt, How.FINISHED, 0.0, 0.5, 1, 1))


def breeds(line, recipe):
    """Starts three long-lived processes, two of which leave its group, tells their pids, and ends as it is told."""
    order = line.recv()
    plain = subprocess.Popen(["sleep", "1000"]).pid
    apart = subprocess.Popen(["sleep", "1000"], start_new_session=True).pid
    if (forked := os.fork()) == 0:
        os.setsid()
        time.sleep(1000)
    wire = Wire(line, order.attempt)
    wire.tell(Measure(order.attempt, 1, {"a": plain, "b": apart, "c": forked}, 0.0))
    ends = {"well": lambda: None, "exit": lambda: os._exit(3), "crash": os.abort, "hang": lambda: time.sleep(1000)}
    ends[order.values["ends"]]()
    line.send(AttemptEnd(order.attempt, How.FINISHED, 0.0, 0.5, 1, 1))


def half(line, recipe):
    """Says half of a long message; its own copy, which holds the line open, outlives it in a session of its own."""
    order = line.recv()
    said = pickle.dumps(Measure(order.attempt, 1, {f"metric_{number}": 0.5 for number in range(9_000)}, 0.0))
    if os.fork() == 0:
        os.setsid()
        time.sleep(1000)
    os.write(line.fileno(), len(said).to_bytes(4, "big") + said[: len(said) // 2])
    os.kill(os.getpid(), signal.SIGSTOP if recipe == "paused" else signal.SIGKILL)
    os.write(line.fileno(), said[len(said) // 2 :])
    line.send(AttemptEnd(order.attempt, How.FINISHED, 0.0, 0.5, 1, 1))


FATES = (raised, left, gone, crashed, aborted, hoards, hangs, ignores_every_word)


def every_fate(line, recipe):
    """Trial n meets fate n; what comes after is honest."""
    told = Replayed(line)
    number = told.order.attempt.fit.trial
    (FATES[number] if number < len(FATES) else honest)(told, recipe)


class Replayed:
    """A line whose first message was read already."""

    def __init__(self, line):
        self.order, self._line, self._read = line.recv(), line, False

    def recv(self):
        if self._read:
            return self._line.recv()
        self._read = True
        return self.order

    def __getattr__(self, name):
        return getattr(self._line, name)


def killed_at(line, recipe):
    """As `honest`, with the epoch as its checkpoint, but its first attempt is killed at the point that `recipe` names.

    Each attempt writes down in the folder which epochs it trained.
    """
    point, folder, epochs = recipe
    order = line.recv()
    attempt, wire = order.attempt, Wire(line, order.attempt)

    def reach(this):
        if attempt.number == 1 and this == point:
            os.kill(os.getpid(), signal.SIGKILL)

    reach("before it asks")
    x = order.values["x"] if "x" in order.values else wire.ask(X)
    reach("in build_model")
    wire.tell(Built(attempt, 1, "", "none"))
    checkpoint = Path(folder) / f"{attempt.fit.name}.checkpoint"
    done = int(checkpoint.read_text()) if checkpoint.exists() else 0
    for epoch in range(done + 1, epochs + 1):
        with (Path(folder) / "trained").open("a") as trained:
            trained.write(f"{attempt.number}/{epoch}\n")
        checkpoint.write_text(str(epoch))
        reach(f"epoch {epoch}")
        wire.tell(Measure(attempt, epoch, {"val_accuracy": x * epoch}, 0.0))
    reach("before it reports")
    line.send(AttemptEnd(attempt, How.FINISHED, 0.0, x * epochs, epochs, epochs))


def surroundings(line, recipe):
    found = {"visible": os.environ.get("CUDA_VISIBLE_DEVICES"), "warm": "tensorflow" in sys.modules}
    tensorflow = sys.modules.get("tensorflow")
    found |= {"at_import": getattr(tensorflow, "visible", None), "asked": getattr(tensorflow, "asked", None)}
    found["grows"] = getattr(tensorflow, "grows", None)
    order = line.recv()
    if "until told" in order.values:
        line.recv()
    line.send(AttemptEnd(order.attempt, How.FINISHED, 0.0, reason=json.dumps(found)))


def signs_in(line, recipe):
    (recipe / str(os.getpid())).touch()
    line.recv()
    time.sleep(60)


def warm(line, recipe):
    line.send("tensorflow" in sys.modules)


def pid(line, recipe):
    order = line.recv()
    line.send(AttemptEnd(order.attempt, How.FINISHED, 0.0, float(os.getpid())))


def loaded(*names):
    return [name for name in names if name in sys.modules]


def sum_of_a_series():
    import pandas as pd

    return int(pd.Series([1, 2]).sum())
