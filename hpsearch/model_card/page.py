"""Writes the model card as Markdown: the README of an exported folder, in which nothing from outside is markup."""

from collections.abc import Iterator, Mapping
from typing import Any

from hpsearch import words
from hpsearch.formats import exporter
from hpsearch.polarity import Polarity
from hpsearch.report.markdown import part, plain, table

Card = Mapping[str, Any]
FENCE = "```"
FORMATS = ("format", "in this folder", "accuracy", "difference", "size", "one image", "batch")
CODE = """\
import json

{imports}
import numpy as np

images = np.zeros((1, {height}, {width}), dtype="uint8")  # yours: rows × height × width, 0 … 255
class_names = json.load(open("manifest.json", encoding="utf-8"))["class_names"]

{steps}
print([class_names[place] for place in probabilities.argmax(axis=1)], probabilities.max(axis=1))
"""


def page(card: Card) -> str:
    """The page as text."""
    chosen = "the winner of its study" if card["won"] else "not the one that its study chose"
    parts = [
        [f"# {_safe(card['study'])}, trial {card['trial']}", "", f"A Keras model that reads images, {chosen}."],
        part("How good it is", [f"- {line}" for line in _accuracy(card)]),
        part("What goes in, what comes out", [f"- {line}" for line in _interface(card)]),
        table("Formats", FORMATS, _formats(card)),
        part("How to use it", list(_usage(card))),
        part("Limits", [f"- {plain(line)}" for line in card["limits"]]),
        table("Class by class", ("class", "precision", "recall", "F1", "images"), _classes(card)),
        table("Most often confused", ("true", "read as", "times", "of its images"), _confused(card)),
        table("Data", ("", ""), _data(card)),
        table("Training", ("", ""), _training(card)),
        table("Values", ("parameter", "value"), ((words.clean(k), words.value(v)) for k, v in card["values"].items())),
    ]  # fmt: skip
    return "\n".join(line for lines in parts for line in lines).rstrip() + "\n"


def _safe(text: object) -> str:
    return plain(words.clean(text))


def _accuracy(card: Card) -> Iterator[str]:
    own, told, failed = (card["figures"][name] for name in ("model", "configuration", "seeds_failed"))
    yield (
        f"**This very model** reads {own['accuracy']:.4f} of the {own['rows']:,} images of the test split rightly "
        f"(95 % interval for new images of the same kind: {own['interval'][0]:.4f} to {own['interval'][1]:.4f})."
    )
    if told is None:
        yield _untested(card)
        return
    several, differ = told["seeds"] > 1, told["seeds_differ_by"]
    mean, over = (" in the mean", f", by {told['seeds']} seeds, which differ by {differ:.4f}") if several else ("", "")
    yield (
        f"**Its configuration**, trained again under another seed, is expected to read "
        f"{told['expected_accuracy']:.4f}{mean}{_between(told)}{over}{f', but it {failed}' if failed else ''}."
    )


def _between(told: Card) -> str:
    """The interval of a configuration's accuracy, and of what it is one; "" where there is none."""
    if told["interval"] is None:
        return ""
    low, high = told["interval"]
    alone = told["interval_of"] == "model"
    of = "its one judged model" if alone else "that mean; a single training may lie outside"
    return f" (95 % interval {low:.4f} to {high:.4f}, of {of})"


def _untested(card: Card) -> str:
    """What is known of a configuration of which the test split judged no model."""
    again, failed = card["figures"]["trained_again"], card["figures"]["seeds_failed"]
    if not again:
        unknown = "What its **configuration** gives when it is trained again is not known."
        return f"Its **configuration**, trained again, {failed}." if failed else unknown
    metric = _safe(card["training"]["objective"].split()[-1])
    score, over = words.score(again["validation_score"]), words.count(again["seeds"], "seed")
    return (
        f"**Its configuration**, trained again, came to {metric} {score}, by the mean over {over}"
        f"{f', but it {failed}' if failed else ''}; none of those models was shown the test split."
    )


def _interface(card: Card) -> Iterator[str]:
    (height, width), ink = card["input"]["shape"], Polarity(card["input"]["ink"]).words
    yield (
        f"In: raw images, `uint8`, rows × {height} × {width}, 0 (black) to 255 (white), upright, with {ink}. "
        "They are scaled inside."
    )
    yield (
        f"Out: `float32` probabilities, rows × {len(card['class_names'])}, in the order of `class_names` "
        "in `manifest.json`."
    )
    if "litert-int8" in card["formats"]:
        yield "`litert-int8`, too: its input has scale 1 and zero point 0, its output is dequantised inside."


def _formats(card: Card) -> Iterator[tuple[object, ...]]:
    for name, one in card["formats"].items():
        yield (
            name, one["path"], f"{one['accuracy']:.4f}", f"{one['largest_difference']:.1e}",
            f"{one['bytes'] / 1e6:.2f} MB", f"{one['single_ms']:.3f} ms", f"{one['batch_ms']:.2f} ms",
        )  # fmt: skip


def _usage(card: Card) -> Iterator[str]:
    where = _safe(card["measured_on"]["processor"]) or "this machine's processor"
    yield (
        "Each format was loaded by its own runtime and run over the test split; the difference is the largest of a "
        f"probability to Keras's own model. Times are medians on {where}, one image and {card['measured_on']['batch']} "
        f"at a time. The model has {card['weights']:,} weights."
    )
    height, width = card["input"]["shape"]
    for name in card["formats"]:
        yield from ("", f"### {_safe(name)}", "", f"{FENCE}python")
        imports, _, steps = exporter(name).usage.strip().partition("\n\n")
        yield from CODE.format(height=height, width=width, imports=imports, steps=steps).splitlines()
        yield FENCE


def _classes(card: Card) -> Iterator[tuple[object, ...]]:
    for one in card["classes"]:
        scores = ("–" if one[key] is None else f"{one[key]:.3f}" for key in ("precision", "recall", "f1"))
        yield (words.clean(one["name"]), *scores, f"{one['rows']:,.0f}")


def _confused(card: Card) -> Iterator[tuple[object, ...]]:
    for one in card["most_confused"]:
        yield words.clean(one["true"]), words.clean(one["read_as"]), one["times"], f"{100 * one['share']:.1f} %"


def _data(card: Card) -> Iterator[tuple[object, ...]]:
    data = card["data"]
    yield "name", words.clean(data["name"])
    yield "licence", words.clean(data["licence"]) or "not stated"
    yield "images", f"{data['train_rows']:,} to train and validate on, {data['test_rows']:,} to test on"
    yield "classes", data["classes"]
    yield "test split", "the official one" if data["test_from"] == "official" else "by the content of each image"
    yield "SHA-256", data["sha256"]


def _training(card: Card) -> Iterator[tuple[object, ...]]:
    said = card["training"]
    epochs = said["epochs"] or f"at most {said['most_epochs']}"
    yield "built by", words.clean(said["build"])
    yield (
        "found by",
        f"{words.clean(said['tuner'])}, {words.count(said['trials_searched'], 'trial')}, {said['objective']}",
    )
    yield "epochs", f"{epochs}, weights of epoch {said['best_epoch']}"
    yield "batch size", said["batch_size"] or "chosen by the code that built or trained it"
    yield "early stopping", f"after {said['early_stopping']} epochs" if said["early_stopping"] else "off"
    yield "seed", said["seed"]
    yield "validation score", words.score(said["validation_score"])
    yield "time", words.span(said["seconds"])
    yield "versions", ", ".join(f"{name} {version}" for name, version in said["versions"].items())
    yield "model file, SHA-256", card["model"]["sha256"]
    yield "code, SHA-256", said["code_sha256"] or "not known"
