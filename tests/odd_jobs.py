"""What the processes of the executor's tests do: real processes over real pipes, without TensorFlow."""

import ctypes
import json
import os
import signal
import sys
import time

from hpsearch.space import Parameter
from hpsearch.trial import AttemptEnd, Built, How, Measure
from hpsearch.worker.wire import Stopped, Wire

X = Parameter("x", "float", 0.5, low=0.0, high=1.0)


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


def gone(line, recipe):
    line.recv()
    os._exit(7)


def dead_before_its_order(line, recipe):
    os._exit(0)


def surroundings(line, recipe):
    found = {"visible": os.environ.get("CUDA_VISIBLE_DEVICES"), "warm": "tensorflow" in sys.modules}
    tensorflow = sys.modules.get("tensorflow")
    found |= {"at_import": getattr(tensorflow, "visible", None), "asked": getattr(tensorflow, "asked", None)}
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
