"""Draws models side by side: accuracy with its interval, weights, milliseconds an image, seconds of training."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpsearch.files import write
from hpsearch.words import shortened

if TYPE_CHECKING:
    from hpsearch.comparing import Comparison

INK, BAR, MARK = "#333333", "#b8c9db", "#1f5a99"
ENDINGS = (".png", ".svg", ".pdf")
LONGEST = 41  # signs of a model's name


def draw(comparison: "Comparison", file: Path) -> None:
    """Write the picture, in the format that the file's ending names (one of ENDINGS)."""
    from matplotlib.figure import Figure

    models = comparison.models
    figure = Figure(figsize=(11, 1.6 + 0.45 * len(models)), layout="constrained", facecolor="white")
    axes = figure.subplots(1, 4, sharey=True)
    places = range(len(models))
    _accuracies(axes[0], comparison)
    _bars(axes[1], "weights", [model.parameters for model in models], "{:,.0f}")
    _bars(axes[2], "ms for one image", [model.single_ms for model in models], "{:.3g}")
    _bars(axes[3], "seconds of training", [model.training_seconds for model in models], "{:.3g}")
    names = [model.name for model in models]
    axes[0].set_yticks(places, [shortened(name, LONGEST) for name in names], parse_math=False)
    axes[0].invert_yaxis()
    write(file, lambda temporary: figure.savefig(temporary, dpi=150, metadata=_dateless(file)))


def _dateless(file: Path) -> dict[str, Any]:
    return {"Date": None} if file.suffix == ".svg" else {}


def _accuracies(axes: Any, comparison: "Comparison") -> None:
    models = comparison.models
    for place, model in enumerate(models):
        axes.plot([100 * bound for bound in model.interval], [place, place], color=MARK, linewidth=2)
        reads = 100 * model.model_accuracy
        axes.plot(reads, place, "o", color=MARK, markersize=7)
        axes.annotate(
            f"{reads:.2f}", (reads, place), (0, 7), textcoords="offset points",
            ha="center", fontsize=8, color=INK,
        )  # fmt: skip
    axes.set_title(f"model accuracy in %, on {comparison.test_rows:,} images", fontsize=10, color=INK)
    axes.margins(x=0.1)
    axes.set_ylim(-0.6, len(models) - 0.4)
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    _bare(axes)


def _bars(axes: Any, title: str, values: Sequence[float], form: str) -> None:
    bars = axes.barh(range(len(values)), values, color=BAR, height=0.5)
    axes.bar_label(bars, [form.format(value) for value in values], padding=3, fontsize=8, color=INK)
    axes.set_title(title, fontsize=10, color=INK)
    axes.set_xlim(0, 1.3 * max(values))
    axes.set_xticks([])
    _bare(axes)


def _bare(axes: Any) -> None:
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0, labelsize=9, labelcolor=INK)
