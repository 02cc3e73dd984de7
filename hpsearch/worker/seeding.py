"""Sets the seed that a model is made by, and knows where a person's own code has set another since.

Scripts often begin with `keras.utils.set_random_seed(42)`. Kept to, it would be the one seed of all trainings: each
would begin with the same weights, and none could tell how much seeds differ.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager

FURTHER = 1 << 20  # bytes of random numbers, more than anything draws in Python beside a model
ALIKE = 16  # of them, by which a place among them is known


class Begun:
    """A seed that was set now: all that is drawn comes from it, until somebody sets another."""

    def __init__(self, seed: int) -> None:
        """Set the seeds of Python (whose numbers Keras seeds weights and layers by), NumPy and TensorFlow."""
        import keras

        keras.utils.set_random_seed(seed)
        self._python, self._tensorflow = random.getstate(), _tensorflow_seed()

    @property
    def overruled(self) -> bool:
        """Whether another seed was set since; to draw is to stay in the seed's own row of numbers."""
        then, now = random.Random(), random.Random()  # noqa: S311  # copies of the one that Keras draws from
        then.setstate(self._python)
        now.setstate(random.getstate())
        return _tensorflow_seed() != self._tensorflow or now.randbytes(ALIKE) not in then.randbytes(FURTHER)


@contextmanager
def imported_under(seed: int) -> Iterator[None]:
    """Set the seed, and once more where what is imported within sets one of its own."""
    begun = Begun(seed)
    yield
    if begun.overruled:
        Begun(seed)


def _tensorflow_seed() -> int | None:
    import tensorflow as tf

    seed: int | None = tf.compat.v1.get_seed(0)[0]
    return seed
