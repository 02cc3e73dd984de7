"""Finds the NVIDIA cards that TensorFlow could train on here, without importing it.

nvidia-smi names cards by their UUID, which is kept, because CUDA counts them in an order of its own.
"""

import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from hpsearch.errors import ExperimentRefused, Mistake

Wanted = int | Literal["auto", False]
QUERY = ("nvidia-smi", "--query-gpu=uuid,name,memory.free", "--format=csv,noheader,nounits")
SECONDS = 30.0  # a driver that is not kept loaded wakes every card first
VISIBLE = "CUDA_VISIBLE_DEVICES"
CPU_BUILD = "'is_cuda_build', False"  # stands in tensorflow/python/platform/build_info.py
CUDA_BUILD = 'pip install "tensorflow[and-cuda]==2.21.0"'  # of the version in the lock files
INSTALL = f"pip uninstall -y tensorflow-cpu; {CUDA_BUILD}"  # both lie in the same folder of site-packages
ELSEWHERE = "take one that NVIDIA builds for this kind of processor, as PyPI has none"  # Linux on ARM, as Grace is
MEND = 'gpus = "auto" takes what cards there are, gpus = false trains on the processor'


@dataclass(frozen=True)
class Card:
    """A card: what CUDA_VISIBLE_DEVICES calls it, what people do, and its free memory in MiB if that can be told."""

    visible: str
    model: str
    free: int | None


@dataclass(frozen=True)
class Found:
    """The cards that are there; `why` says in words why there are no more."""

    cards: tuple[Card, ...]
    why: str


def choose(wanted: Wanted) -> tuple[Card, ...]:
    """The cards to train on: all that can be used, or exactly so many; raise ExperimentRefused if there are fewer."""
    if wanted is False:
        return ()
    if wanted == "auto":
        return usable().cards
    found = find()
    if mistake := too_few(wanted, found):
        raise ExperimentRefused([mistake])
    return found.cards[:wanted]


def too_few(wanted: int, found: Found) -> Mistake | None:
    """What is wrong when fewer cards were found than are wanted."""
    there = len(found.cards)
    if there >= wanted:
        return None
    what = f"{wanted} card{'s' * (wanted > 1)} asked for, {there or 'none'} found: {found.why}"
    return Mistake("workers.gpus", what, MEND)


def usable() -> Found:
    """The cards that are there, unless the installed TensorFlow can use none."""
    found = find()
    return Found((), why) if found.cards and (why := obstacle()) else found


def obstacle() -> str:
    """Why the installed TensorFlow cannot use any card, as far as its files tell; "" if nothing speaks against it."""
    spec = find_spec("tensorflow")
    if spec is None or spec.origin is None:
        return "TensorFlow is not installed"
    try:
        build = (Path(spec.origin).parent / "python" / "platform" / "build_info.py").read_text(encoding="utf-8")
    except OSError:
        return ""
    return "the installed TensorFlow is made for the processor only" if CPU_BUILD in build else ""


def install() -> str:
    """How to come by a TensorFlow that knows cards."""
    return INSTALL if platform.machine() == "x86_64" else ELSEWHERE


def find() -> Found:
    """Ask nvidia-smi; CUDA_VISIBLE_DEVICES chooses and orders as it does for CUDA itself."""
    if sys.platform != "linux":
        return Found((), "TensorFlow uses NVIDIA cards on Linux only")
    try:
        said = subprocess.run(QUERY, capture_output=True, text=True, timeout=SECONDS, check=False)  # noqa: S603  # fixed words
    except FileNotFoundError:
        return Found((), "there is no nvidia-smi on the PATH")
    except (OSError, subprocess.TimeoutExpired) as error:
        return Found((), f"nvidia-smi cannot be asked ({error})")
    if said.returncode:
        return Found((), f"nvidia-smi says: {(said.stdout or said.stderr).strip().partition(chr(10))[0]}")
    cards = [card for line in said.stdout.splitlines() if (card := _card(line))]
    return _visible(cards, os.environ.get(VISIBLE))


def _card(line: str) -> Card | None:
    uuid, _, rest = line.partition(", ")
    model, _, free = rest.rpartition(", ")
    return Card(uuid, model, int(free) if free.isdigit() else None) if model else None


def _visible(cards: Sequence[Card], wanted: str | None) -> Found:
    if wanted is None:
        return Found(tuple(cards), f"nvidia-smi lists {len(cards)}")
    chosen: list[Card] = []
    for word in map(str.strip, wanted.split(",")):
        card = _named(cards, word)
        if card is None:
            break  # CUDA reads no further than the first name it does not know
        chosen.append(replace(card, visible=word))
    return Found(tuple(chosen), f"{VISIBLE}={wanted!r} shows {len(chosen)} of the {len(cards)} that nvidia-smi lists")


def _named(cards: Sequence[Card], word: str) -> Card | None:
    if word.isdecimal():
        return cards[int(word)] if int(word) < len(cards) else None
    return next((card for card in cards if word and card.visible.startswith(word)), None)
