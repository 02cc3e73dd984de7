"""Studies of one project that all meet its fresh MLflow database at once: many_writers.py PROJECT WRITERS TRIALS."""

import os
import sys
from pathlib import Path

import mlflow  # noqa: F401  # once, before the writers are forked
from stories import EXPERIMENT, began, no_model, told, trial_story

from hpsearch import files, paths
from hpsearch.ledger import Ledger
from hpsearch.records import SessionEnded
from hpsearch.trackers.via_mlflow import Made


def write(root, number, trials):
    project, experiment = paths.Project(root), EXPERIMENT.renamed(f"study-{number}")
    files.make(project.study(experiment.name).folder)
    bodies = [*began(), *(body for trial in range(trials) for body in trial_story(trial, [0.5, 0.8]))]
    ledger = Ledger(project.study(experiment.name).ledger)
    ledger.write(bodies[0])
    ledger.close()
    tracker = Made(project, experiment, project.study(experiment.name))(no_model)
    for news in told([*bodies, SessionEnded(finished=True, reason="the budget is spent")]):
        tracker.hear(news)
    tracker.close()


def main():
    root, writers, trials = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    children = []
    for number in range(writers):
        if (child := os.fork()) == 0:
            write(root, number, trials)
            os._exit(0)
        children.append(child)
    ends = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    sys.exit(any(ends))


if __name__ == "__main__":
    main()
