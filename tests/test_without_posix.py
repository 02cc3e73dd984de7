"""Where Python has only what it has on Windows, hpsearch can be imported and can write; nobody ran it there yet."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

PROGRAM = Path(__file__).with_name("without_posix.py")


def test_without_what_only_posix_has_every_module_is_imported_and_data_are_prepared(tmp_path: Path) -> None:
    words = [sys.executable, str(PROGRAM), str(tmp_path)]
    environment = os.environ | {"HPSEARCH_DATA": str(tmp_path / "cache")}

    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=240, check=False)

    assert done.returncode == 0, done.stderr
    assert len(np.load(tmp_path / "copy" / "labels.npy")) == 4_000
    assert (tmp_path / "note.txt").read_text() == "this user"
