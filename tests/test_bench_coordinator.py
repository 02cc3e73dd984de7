"""The coordinator's benchmarks run, and write what they found."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def run(script, *options):
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ROOT / "benchmarks" / script), *map(str, options)]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=surroundings).stdout


def test_the_scale_benchmark_follows_trials_through_the_real_parts_and_resumes_them(tmp_path):
    out = tmp_path / "found.json"

    text = run(
        "coordinator.py", "--trials", 10, "--tuners", "optuna.random", "--no-mlflow", "--no-events", "--out", out
    )

    (study,) = json.loads(out.read_text())["runs"]
    assert [block["trials"] for block in study["blocks"]] == [2, 4, 6, 8, 10]
    assert study["resume_seconds"] > 0
    assert "optuna.random" in text
    assert out.with_suffix(".png").exists()


def test_the_bound_benchmark_compares_what_begins_alike(tmp_path):
    out = tmp_path / "found.json"

    run("tpe_bound.py", "--trials", 14, "--look-back", 12, "--seeds", 1, "--objectives", "bowl", "--out", out)

    (pair,) = json.loads(out.read_text())["pairs"]
    assert len(pair["bounded"]) == len(pair["unbounded"]) == 14
    assert pair["bounded"][:12] == pair["unbounded"][:12]
