"""The coordinator's benchmarks run, and write what they found."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

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


@pytest.mark.long
def test_the_bound_benchmark_compares_what_begins_alike_and_makes_no_pair_twice(tmp_path):
    words = ["--trials", 30, "--look-back", 25, "--seeds", 1, "--objectives", "bowl", "--out", tmp_path]

    run("tpe_bound.py", *words)
    kept = (tmp_path / "tpe-bound.jsonl").read_text()
    run("tpe_bound.py", *words)

    pair = json.loads(kept)
    assert len(pair["bounded"]) == len(pair["unbounded"]) == 2
    assert pair["bounded"][0] == pair["unbounded"][0]
    assert (tmp_path / "tpe-bound.jsonl").read_text() == kept
    found = json.loads((tmp_path / "tpe-bound.json").read_text())
    assert [row[:2] for row in found["rows"]] == [["bowl", 1], ["all", 1]]
    assert (tmp_path / found["plot"]).exists()
