"""Reads pictures one after another: while the model answers for some, others are looked at, and few are in memory."""

from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

from hpsearch import machine
from hpsearch.predict.answerer import Answerer
from hpsearch.predict.lookers import Lookers, Manner, Sight
from hpsearch.predict.reading import Reading, readings
from hpsearch.predict.sights import Picture, Unread
from hpsearch.predict.sources import Source

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Answer = Reading | Unread
LOOKER_BYTES = 200_000_000  # for a process that looks at pictures: 40 MB that it shares with none, and photographs


def read_all(
    answerer: Answerer, sources: Iterable[Source], *, one: bool = False, batch: int = 256
) -> Generator[Answer, None, None]:
    """What is read in each picture, in their order; the model is asked for `batch` characters or more at a time.

    With `one` each picture is one character. Raises what the answerer does. Whoever leaves before the last picture
    closes the answerer with it.
    """
    manner = Manner(answerer.framing, answerer.shape, answerer.polarity, one)
    with (
        closing(Lookers(_hands(), manner, answerer.method)) as lookers,
        ThreadPoolExecutor(1, "answers") as aside,
    ):
        earlier: Future[list[Answer]] | None = None
        try:
            for sights in _batches(lookers.look_at(sources), batch):
                later = aside.submit(_answers, answerer, sights)
                if earlier:
                    yield from earlier.result()
                earlier = later
            if earlier:
                yield from earlier.result()
        except BaseException:  # GeneratorExit among them: whoever prints the answers was interrupted
            answerer.close()  # so that nobody waits for an answer that nobody wants
            raise


def _hands() -> int:
    """How many processes may look at pictures: as many as cores and memory allow, but one."""
    return max(1, min(machine.cores(), machine.memory() // LOOKER_BYTES))


def _batches(sights: Iterator[Sight], least: int) -> Iterator[list[Sight]]:
    """Pictures in order, in groups with so many characters, or as many pictures; the last one may have fewer."""
    group: list[Sight] = []
    weight = 0
    for sight in sights:
        group.append(sight)
        weight += max(1, len(sight.characters)) if isinstance(sight, Picture) else 1
        if weight >= least:
            yield group
            group, weight = [], 0
    if group:
        yield group


def _answers(answerer: Answerer, sights: list[Sight]) -> list[Answer]:
    pictures = [sight for sight in sights if isinstance(sight, Picture)]
    images = _stacked(pictures, answerer.shape)
    read = readings(pictures, answerer.probabilities(images), answerer.unlike(images), answerer.class_names)
    answers = iter(read)
    return [next(answers) if isinstance(sight, Picture) else sight for sight in sights]


def _stacked(pictures: list[Picture], shape: tuple[int, int]) -> "NDArray[np.uint8]":
    import numpy as np

    images = [character.image for picture in pictures for character in picture.characters]
    return np.stack(images) if images else np.zeros((0, *shape), np.uint8)
