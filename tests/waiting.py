"""Waits for what comes by itself, such as a file or the end of a process."""

import time


def wait_until(claim, seconds=90):
    """Look again and again whether the claim holds; a test fails where it does not in so many seconds."""
    until = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)
