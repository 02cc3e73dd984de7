"""What is done beside the main work."""

import subprocess
import sys

import pytest

from hpsearch.aside import aside

NEVER_ENDS = "import threading; from hpsearch.aside import aside; aside(threading.Event().wait); print('over')"


def test_what_is_done_aside_gives_its_result_or_raises_its_error():
    fine, broken = aside(sum, [1, 2]), aside(int, "x")

    assert fine.result(10) == 3
    with pytest.raises(ValueError, match="invalid literal"):
        broken.result(10)


def test_a_program_that_ends_sooner_does_not_wait_for_what_is_done_aside():
    ended = subprocess.run([sys.executable, "-c", NEVER_ENDS], check=False, capture_output=True, text=True, timeout=60)

    assert (ended.returncode, ended.stdout.strip()) == (0, "over")
