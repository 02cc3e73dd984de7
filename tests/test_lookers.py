"""Many pictures are looked at in order, by processes that may die."""

import os
import signal

import psutil
import pytest
from waiting import wait_until
from written import file_of, seven

from hpsearch.predict import lookers as module
from hpsearch.predict.framing import Framing
from hpsearch.predict.lookers import Lookers, Manner
from hpsearch.predict.sights import Picture, Unread
from hpsearch.predict.sources import Source

MANNER = Manner(Framing.MNIST, (28, 28))


@pytest.fixture
def lookers():
    made = Lookers(2, MANNER)
    yield made
    made.close()


@pytest.fixture
def folder(tmp_path):
    """A picture, and one that is none."""
    (tmp_path / "seven.png").write_bytes(file_of(seven()))
    (tmp_path / "text.png").write_text("no picture")
    return tmp_path


def sources(folder, count, taken=None):
    for number in range(count):
        if taken is not None:
            taken.append(number)
        yield Source(str(number), folder / ("text.png" if number % 7 == 3 else "seven.png"))


def test_every_picture_is_seen_once_and_in_order(lookers, folder):
    sights = list(lookers.look_at(sources(folder, 100)))

    assert [sight.name for sight in sights] == [str(number) for number in range(100)]
    assert [number for number, sight in enumerate(sights) if isinstance(sight, Unread)] == list(range(3, 100, 7))
    seen = sights[0]
    assert isinstance(seen, Picture)
    assert seen.characters[0].image.shape == (28, 28)


def test_pictures_are_taken_no_faster_than_sights_are(lookers, folder):
    taken: list[int] = []
    sights = lookers.look_at(sources(folder, 1000, taken))

    next(sights)

    assert len(taken) <= 2 * module.AHEAD * module.DEPTH


def test_one_picture_needs_one_process(lookers, folder):
    list(lookers.look_at(sources(folder, 1)))

    assert len(lookers._hands) == 1


def test_a_process_that_is_killed_costs_the_picture_before_it_and_no_other(lookers, folder):
    sights = lookers.look_at(sources(folder, 200))
    first = next(sights)
    for hand in list(lookers._hands):
        os.kill(hand.process.pid, signal.SIGKILL)

    others = list(sights)

    assert [sight.name for sight in (first, *others)] == [str(number) for number in range(200)]
    lost = [one.why for one in others if isinstance(one, Unread) and "SIGKILL" in one.why]
    assert 1 <= len(lost) <= 2


def test_a_process_that_hangs_is_given_up(lookers, folder, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 1.0)
    sights = lookers.look_at(sources(folder, 60))
    next(sights)
    os.kill(lookers._hands[0].process.pid, signal.SIGSTOP)

    others = list(sights)

    assert len(others) == 59
    assert len([one for one in others if isinstance(one, Unread) and "took more than 1 s" in one.why]) == 1


def test_closing_leaves_no_process(folder):
    lookers = Lookers(2, MANNER)
    next(lookers.look_at(sources(folder, 100)))
    processes = [psutil.Process(hand.process.pid) for hand in lookers._hands]

    lookers.close()

    wait_until(lambda: not any(process.is_running() for process in processes), seconds=5)
