"""How pictures are read one after another while the model answers."""

import threading

import numpy as np
from written import file_of, seven

from hpsearch.polarity import Polarity
from hpsearch.predict.framing import Framing
from hpsearch.predict.pipeline import read_all
from hpsearch.predict.sources import Source
from hpsearch.worker.ending import ChildDied


class StuckAfterOne:
    """A model that answers once; what it is asked then, it answers to nobody until it is closed."""

    class_names, shape, method = ("7", "1"), (28, 28), "spawn"
    framing, polarity = Framing.MNIST, Polarity.BRIGHT_ON_DARK

    def __init__(self):
        self._answered, self.closed = False, threading.Event()

    def probabilities(self, images):
        if self._answered:
            self.closed.wait()
            raise ChildDied("closed")
        self._answered = True
        return np.full((len(images), 2), 0.5, np.float32)

    def unlike(self, images):
        return np.zeros(len(images), np.float32)

    def close(self):
        self.closed.set()


def test_who_leaves_before_the_last_picture_does_not_wait_for_what_was_asked(tmp_path):
    (tmp_path / "seven.png").write_bytes(file_of(seven()))
    model = StuckAfterOne()
    answers = read_all(model, [Source("seven.png", tmp_path / "seven.png")] * 3, batch=1)
    first = next(answers)

    answers.close()

    assert first.text in {"7", "1"}
    assert model.closed.is_set()
