"""Writes and prints what coordinator.py found, whole and as the one table of benchmarks/RESULTS.md."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import reporting

COLUMNS = (
    "tuner", "ms of the coordinator a trial, at first", "at last", "waiting for the tuner, at last (by the clock)",
    "its MB, at first", "at last", "MLflow behind, s", "next trial after a resume, s",
)  # fmt: skip


@dataclass
class Block:
    """Some trials in a row: milliseconds a trial, megabytes of resident memory, records MLflow has not heard."""

    trials: int
    wall_ms: float
    thread_ms: float
    tuner_ms: float
    coordinator_mb: float
    children_mb: float
    lag: int


@dataclass
class Run:
    """One tuner's study. `resume_seconds` ends when the next trial begins, `open_seconds` before the tuner is asked.

    `resume_thread_seconds` are of the processor's time, which other work on the machine does not change much.
    """

    tuner: str
    blocks: list[Block] = field(default_factory=list)
    drain_seconds: float = 0.0
    records: int = 0
    ledger_mb: float = 0.0
    open_seconds: float = 0.0
    resume_seconds: float = 0.0
    resume_thread_seconds: float = 0.0


def write(runs: list[Run], heard: dict[str, float], asked: dict[str, int], out: Path) -> None:
    """Write a table, everything behind it, and a plot."""
    out.parent.mkdir(parents=True, exist_ok=True)
    plot = out.with_suffix(".png")
    table = reporting.Result(
        title=f"The coordinator over {asked['trials']:,} trials",
        command=reporting.command("--out"),
        predicted="flat for random search, under 100 ms a trial for TPE, 5 s to resume, 1,000 events a second",
        machine=reporting.machine(),
        columns=COLUMNS,
        rows=[_row(run) for run in runs],
        plot=plot.name if runs else "",
        words=_words(heard, asked),
    )
    if runs:
        _plot(runs, plot)
    found = asdict(table) | asked | {"runs": [asdict(run) for run in runs], "events": heard}
    out.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _row(run: Run) -> list[reporting.Cell]:
    first, last = run.blocks[0], run.blocks[-1]
    return [
        run.tuner, first.thread_ms, last.thread_ms, last.tuner_ms, first.coordinator_mb, last.coordinator_mb,
        run.drain_seconds, run.resume_seconds,
    ]  # fmt: skip


def _words(heard: dict[str, float], asked: dict[str, int]) -> list[str]:
    size = f"{asked['values']} values and {asked['epochs']} epochs each, {asked['workers']} at a time"
    words = [
        f"Trials that train nothing, {size}, a forked process a trial; ledger, board and MLflow are the real ones.",
        "Processor time of the coordinator's thread, means of the first and the last block of trials.",
        "The wait for the tuner is by the clock, so that it may be longer than the thread's own time.",
        "An oracle of KerasTuner has a process of its own.",
    ]
    if heard:
        words.append(
            f"Events: of 16 workers that send 1,000 a second in all, {heard['paced_a_second']:.0f} a second are heard, "
            f"{heard['way_ms_median']:.1f} ms after they were sent (99 of 100 within {heard['way_ms_99']:.1f} ms), and "
            f"MLflow has them {heard['mlflow_drain_seconds']:.1f} s after the last; at most "
            f"{heard['most_a_second']:,.0f} a second come through."
        )
    return words


def _plot(runs: list[Run], file: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 6), layout="constrained")
    axes = figure.subplots(2, 2, sharex=True).flat
    shown = {"wall_ms": "ms a trial, wall", "thread_ms": "ms a trial, coordinator's thread"}
    shown |= {"coordinator_mb": "MB resident, coordinator", "lag": "records MLflow lags behind"}
    for ax, (name, title) in zip(axes, shown.items(), strict=True):
        for run in runs:
            ax.plot(
                [block.trials for block in run.blocks], [getattr(block, name) for block in run.blocks], label=run.tuner
            )
        ax.set_title(title)
        ax.set_ylim(bottom=0)
        ax.grid(alpha=0.3)
    axes[0].legend()
    figure.supxlabel("trials")
    figure.savefig(file, dpi=120)


def say(runs: list[Run], heard: dict[str, float]) -> None:
    """Print every block, and what became of the events."""
    for run in runs:
        print(
            f"\n{run.tuner}: {run.records} records, {run.ledger_mb:.1f} MB; MLflow {run.drain_seconds:.1f} s behind;"
            f" resumed in {run.resume_seconds:.2f} s ({run.open_seconds:.2f} s to open)"
        )
        print(
            f"{'trials':>8}  {'wall ms':>8}  {'thread ms':>9}  {'tuner ms':>8}  {'MB':>6}  {'children':>8}  {'lag':>7}"
        )
        for block in run.blocks:
            print(
                f"{block.trials:>8}  {block.wall_ms:>8.2f}  {block.thread_ms:>9.2f}  {block.tuner_ms:>8.2f}"
                f"  {block.coordinator_mb:>6.0f}  {block.children_mb:>8.0f}  {block.lag:>7}"
            )
    for name, value in heard.items():
        print(f"{name:<24}{value:>10.1f}")
