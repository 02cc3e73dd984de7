"""Measures what a second one-thread process costs the first: what two workers can reach at most on two cores.

python benchmarks/both_cores.py

A matrix product, a convolution and a pass over an array are repeated on one thread, first by one process alone, then
by one on each core at the same time. Cores that share caches, memory or an arithmetic unit slow each other down, and
no program that keeps all of them busy gets back what they lose.
"""

import argparse
import os
import time
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from statistics import fmean
from typing import Any

import reporting
from hpsearch.orders import Slot
from hpsearch.worker import place
from pools import pool

SECONDS = 3.0
WORKS = ("product", "convolution", "pass")
WORDS = {
    "product": "product of two 1024 × 1024 matrices",
    "convolution": "convolution, 3 × 3, 32 to 32 channels, 28 × 28, batch 128",
    "pass": "three products and a rectifier over 6.4 million numbers",
}


def main() -> None:
    """Measure every kind of work, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=reporting.RESULTS / "both-cores.json")
    given = parser.parse_args()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with pool(cores) as hands:
        list(hands.map(_ready, range(cores)))
        rows = [_row(hands, work, cores) for work in WORKS]
    reporting.Result(
        title=f"What {cores} busy cores leave each other",
        command=reporting.command(),
        machine=reporting.machine(),
        columns=["work", "times a second, one process alone", f"each of {cores} at once", "share"],
        rows=rows,
        words=[
            "Each process on one thread; the share is what a core keeps of its speed when all are busy.",
            "No search that keeps every core at work can reach a larger part of so many times one core's speed.",
        ],
    ).write(given.out)


def _row(hands: Executor, work: str, cores: int) -> list[reporting.Cell]:
    alone = hands.submit(_speed, work).result()
    together = fmean(hands.map(_speed, [work] * cores))
    print(f"{work:<12} {alone:7.1f} alone, {together:7.1f} each of {cores}: {together / alone:.2f}")
    return [WORDS[work], alone, together, together / alone]


def _ready(_number: int) -> None:
    """Import TensorFlow, so that no measurement waits for it."""
    place.take(Slot())
    time.sleep(1)  # so that each process of the pool gets one of these


def _speed(work: str) -> float:
    """How often a second the work is done, over some seconds."""
    run = _work(work)
    run().numpy()
    began, done = time.perf_counter(), 0
    while time.perf_counter() - began < SECONDS:
        run().numpy()
        done += 1
    return done / (time.perf_counter() - began)


def _work(name: str) -> Callable[[], Any]:
    """A function that does the work and gives one number of the result, as a tensor."""
    import tensorflow as tf

    def made(*shape: int) -> Any:
        return tf.random.stateless_normal(shape, (1, 2))

    if name == "product":
        one, other = made(1024, 1024), made(1024, 1024)
        return lambda: tf.linalg.matmul(one, other)[0, 0]
    if name == "convolution":
        images, kernel = made(128, 28, 28, 32), made(3, 3, 32, 32)
        return lambda: tf.nn.conv2d(images, kernel, 1, "SAME")[0, 0, 0, 0]
    numbers = made(128, 28, 28, 64)
    return lambda: (tf.nn.relu(numbers * 1.1) * numbers * numbers)[0, 0, 0, 0]


if __name__ == "__main__":
    main()
