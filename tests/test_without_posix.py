"""Where Python has only what it has on Windows, hpsearch can be imported and can write, and says that none can run."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

PROGRAM = Path(__file__).with_name("without_posix.py")
ON_WINDOWS = """
import sys
import hpsearch.loading, hpsearch.tuners.via_keras_tuner, rich.console  # what they ask of the system is asked before
from hpsearch.__main__ import main
assert main(["init"]) == 0
sys.platform = "win32"
sys.exit(main(["run", "experiments/quickstart.toml"]))
"""


def test_without_what_only_posix_has_every_module_is_imported_and_data_are_prepared(tmp_path: Path) -> None:
    words = [sys.executable, str(PROGRAM), str(tmp_path)]
    environment = os.environ | {"HPSEARCH_DATA": str(tmp_path / "cache")}

    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=240, check=False)

    assert done.returncode == 0, done.stderr
    assert len(np.load(tmp_path / "copy" / "labels.npy")) == 4_000
    assert (tmp_path / "note.txt").read_text() == "this user"


def test_on_windows_a_run_is_refused_in_one_line_before_it_leaves_anything(tmp_path: Path) -> None:
    words = [sys.executable, "-c", ON_WINDOWS]

    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)

    assert done.returncode == 1
    assert done.stderr == "hpsearch does not run on Windows itself: use it in WSL 2\n"
    assert not (tmp_path / "mlruns").exists()
