"""hpsearch's graph loop alone on one thread, one configuration after another: the rate that workers can multiply."""

import os
import sys
import time
from pathlib import Path

from hpsearch.worker.loops import make_loop
from hpsearch.worker.quiet import SURROUNDINGS
from hpsearch.worker.rows import Rows

os.environ.update(SURROUNDINGS)  # as in a worker, oneDNN and all; before TensorFlow is imported

from sides import training
from sides.job import Diary, Job


def main(job: Job) -> None:
    """Train each of the fixed configurations and note the seconds of each epoch; making the loop traces it."""
    training.use_threads(1)
    rows = Rows.open(Path(job.data), Path(job.split))
    diary = Diary(job.diary)
    diary.note("began")
    for number in range(job.fixed):
        model = training.build(job, training.knowing(job, {"configuration": number}))
        loop = make_loop(model, rows, batch_size=job.batch_size, seed=job.seed, loop="graph")
        for epoch in range(1, job.epochs + 1):
            began = time.perf_counter()
            accuracy = loop.epoch(epoch)["val_accuracy"]
            seconds = time.perf_counter() - began
            diary.note("epoch", trial=number, epoch=epoch, val_accuracy=accuracy, configuration=number, seconds=seconds)


if __name__ == "__main__":
    main(Job.load(sys.argv[1]))
