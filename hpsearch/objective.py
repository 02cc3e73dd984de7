"""Which metric is optimised, in which direction: the one place that knows which way is up."""

import math
from dataclasses import dataclass
from typing import Literal, Self

Goal = Literal["max", "min"]


@dataclass(frozen=True)
class Objective:
    """What a search looks for, such as "max val_accuracy"."""

    goal: Goal
    metric: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read "max METRIC" or "min METRIC"; raise ValueError on anything else."""
        match text.split():
            case [("max" | "min") as goal, metric] if metric.isprintable():
                return cls(goal, metric)
        message = f"an objective reads 'max METRIC' or 'min METRIC', not {text!r}"
        raise ValueError(message)

    def __str__(self) -> str:
        """Write the objective as an experiment file does."""
        return f"{self.goal} {self.metric}"

    @property
    def sign(self) -> int:
        """The factor that turns a score into one where more is better."""
        return 1 if self.goal == "max" else -1

    def better(self, score: float, than: float | None) -> bool:
        """Whether a finite score beats another; any finite score beats none."""
        if not math.isfinite(score):
            return False
        return than is None or self.sign * score > self.sign * than

    def key(self, score: float | None) -> float:
        """A sorting key that puts the best score first and a missing one last."""
        return -self.sign * score if score is not None and math.isfinite(score) else math.inf
