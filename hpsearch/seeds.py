"""Derives the seed of each piece of work from the study's one seed, so that order and workers don't matter."""

import hashlib


def derive(seed: int, *words: object) -> int:
    """A seed in 0 … 2³¹ - 1 for the piece of work that the words name; the same words give the same seed."""
    text = "/".join(map(str, (seed, *words)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) >> 1
