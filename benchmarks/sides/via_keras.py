"""A plain Keras loop: build, fit, clear, one configuration after another, TensorFlow with all its threads."""

import sys

from sides import training
from sides.job import Diary, Job

STEPS = 32


def main(job: Job) -> None:
    """Train each of the fixed configurations; there is nothing here that could search."""
    keywords = training.how_to_fit(job)
    Diary(job.diary).note("began")
    for number in range(job.fixed):
        model = training.build(job, training.knowing(job, {"configuration": number}))
        if job.algorithm == "steps":  # as Keras advises for small models; the losses and metrics stay the same
            model.steps_per_execution = STEPS
        model.fit(**keywords, callbacks=[training.Noting(job)])


if __name__ == "__main__":
    main(Job.load(sys.argv[1]))
