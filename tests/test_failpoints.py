"""A failpoint acts at its place, the time it is told to, and nowhere else."""

import os
import signal
import subprocess
import sys

import pytest

REACH = "from hpsearch.failpoints import reach\nfor _ in range(3):\n    reach('here'); print('passed', flush=True)"


def passed(tmp_path, failpoint, *, counts=False):
    more = {"HPSEARCH_FAILPOINT": failpoint} | ({"HPSEARCH_FAILPOINT_COUNTS": str(tmp_path)} if counts else {})
    words = [sys.executable, "-c", REACH]
    done = subprocess.run(words, env=os.environ | more, check=False, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout.count("passed"), done.stderr


@pytest.mark.parametrize(
    ("failpoint", "code", "times"),
    [
        ("", 0, 3),
        ("there=kill", 0, 3),
        ("here=kill", -signal.SIGKILL, 0),
        ("there=kill,here=kill@3", -signal.SIGKILL, 2),
    ],
)
def test_a_process_dies_at_its_place_at_its_time(tmp_path, failpoint, code, times):
    assert passed(tmp_path, failpoint)[:2] == (code, times)


@pytest.mark.parametrize(
    ("action", "words"),
    [("ENOSPC", "No space left on device"), ("locked", "database is locked"), ("flood", "there is no action 'flood'")],
)
def test_trouble_is_raised_as_the_system_would(tmp_path, action, words):
    code, times, said = passed(tmp_path, f"here={action}@2")

    assert (code, times) == (1, 1)
    assert words in said


def test_processes_that_share_a_folder_count_together(tmp_path):
    first = passed(tmp_path, "here=kill@5", counts=True)
    second = passed(tmp_path, "here=kill@5", counts=True)
    third = passed(tmp_path, "here=kill@5", counts=True)

    assert [one[:2] for one in (first, second, third)] == [(0, 3), (-signal.SIGKILL, 1), (0, 3)]
