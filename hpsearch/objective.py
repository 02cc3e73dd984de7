"""Which metric is optimised, in which direction: the one place that knows which way is up."""

import math
from dataclasses import dataclass
from typing import Literal, Self

Goal = Literal["max", "min"]
# The names under which Keras 3 reports its own losses and metrics (keras.metrics, keras.losses).
FALLING = frozenset(
    [
        "loss",
        "mse",
        "mae",
        "mape",
        "msle",
        "mean_squared_error",
        "mean_absolute_error",
        "mean_absolute_percentage_error",
        "mean_squared_logarithmic_error",
        "root_mean_squared_error",
        "categorical_crossentropy",
        "sparse_categorical_crossentropy",
        "binary_crossentropy",
        "kl_divergence",
        "poisson",
        "hinge",
        "squared_hinge",
        "categorical_hinge",
        "logcosh",
        "false_positives",
        "false_negatives",
    ]
)
RISING = frozenset(
    [
        "accuracy",
        "acc",
        "categorical_accuracy",
        "sparse_categorical_accuracy",
        "binary_accuracy",
        "top_k_categorical_accuracy",
        "sparse_top_k_categorical_accuracy",
        "precision",
        "recall",
        "auc",
        "f1_score",
        "fbeta_score",
        "r2_score",
        "true_positives",
        "true_negatives",
        "precision_at_recall",
        "recall_at_precision",
        "sensitivity_at_specificity",
        "specificity_at_sensitivity",
    ]
)
ACCURACIES = frozenset(["accuracy", "acc", "categorical_accuracy", "sparse_categorical_accuracy"])


def is_accuracy(metric: str) -> bool:
    """Whether it is the share of images that are read rightly, of which the test split's figures are."""
    return metric.removeprefix("val_") in ACCURACIES


@dataclass(frozen=True)
class Objective:
    """What a search looks for, such as "max val_accuracy"."""

    goal: Goal
    metric: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read "max METRIC" or "min METRIC"; raise ValueError on anything else."""
        mend = ""
        match text.split():
            case [("max" | "min") as goal, metric] if metric.isprintable():
                return cls(goal, metric)
            case ["max" | "min", _, _, *_]:
                mend = ": a metric's name has no spaces, give it another by name=… where it is made"
        message = f"an objective reads 'max METRIC' or 'min METRIC', not {text!r}{mend}"
        raise ValueError(message)

    def __str__(self) -> str:
        """Write the objective as an experiment file does."""
        return f"{self.goal} {self.metric}"

    @property
    def sign(self) -> int:
        """The factor that turns a score into one where more is better."""
        return 1 if self.goal == "max" else -1

    @property
    def direction(self) -> Literal["maximize", "minimize"]:
        """The goal as Optuna calls it."""
        return "maximize" if self.goal == "max" else "minimize"

    def better(self, score: float, than: float | None) -> bool:
        """Whether a finite score beats another; any finite score beats none."""
        if not math.isfinite(score):
            return False
        return than is None or self.sign * score > self.sign * than

    def falls(self, metric: str) -> bool:
        """Whether less of a metric is better: its own, on either split, the objective knows, others by name."""
        plain = metric.removeprefix("val_")
        if plain == self.metric.removeprefix("val_"):
            return self.goal == "min"
        return plain in FALLING or "loss" in plain or "error" in plain

    def key(self, score: float | None) -> float:
        """A sorting key that puts the best score first and a missing one last."""
        return -self.sign * score if score is not None and math.isfinite(score) else math.inf
