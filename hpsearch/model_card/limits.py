"""Says in honest words what an exported model was not tested on, as far as it follows from what is known of it."""

from collections.abc import Iterator, Mapping
from typing import Any

from hpsearch import words
from hpsearch.datasets.content import OWN
from hpsearch.polarity import Polarity

FEW_ROWS = 30  # of a class: its recall is unsure by more than ten points then
WEAK, MOST_WEAK = 0.9, 5  # recall below which a class is named, and how many are

Card = Mapping[str, Any]


def limits(card: Card) -> list[str]:
    """The limits, a sentence or two each; names of classes are cleaned, and still to be escaped."""
    return [*_of_the_test(card), *_of_the_images(card), *_of_classes(card), *_of_looks(card), *_of_formats(card)]


def _of_the_test(card: Card) -> Iterator[str]:
    rows, name = card["data"]["test_rows"], card["data"]["name"]
    whose = "its maker's own images" if name in OWN else words.clean(name)
    yield (
        f"It was tested on the {rows:,} images of the test split of {whose}, and on nothing else: "
        "how it reads other people, pens, cameras or scanners is not known."
    )
    if card["data"]["test_from"] != "official":
        yield "The test split was drawn from the same images as the training data, so it may hold the same writers."
    told, failed = card["figures"]["configuration"], card["figures"]["seeds_failed"]
    if failed:
        yield f"Trained again, its configuration {failed}, which no accuracy here tells."
    again, fits = card["figures"]["trained_again"], card["training"]["fits"]
    if told is None and not failed and not again:
        alone = f"it is one of {fits} of its trial, each on other rows" if fits > 1 else "it was trained once"
        yield f"It is not the model that its study chose: {alone}, and what another seed gives is not known."
    elif not card["won"]:
        yield "It is not the model that its study chose."
    if again:
        yield "Its configuration was trained again, but none of those models was shown the test split."
    if told and told["interval_of"] == "model" and not failed:
        yield "Only one model of its configuration was judged: what another seed gives is not known."
    if told and told["model_has_validation_rows"]:
        yield "It was trained on the validation rows too, so its accuracy may be compared with no other of its study."


def _of_the_images(card: Card) -> Iterator[str]:
    (height, width), ink = card["input"]["shape"], Polarity(card["input"]["ink"]).words
    yield (
        f"It takes upright grey images of {height} × {width} pixels with {ink}, framed as the training "
        "images were; turned, inverted, uncropped or coloured ones were not tried."
    )
    yield (
        f"It knows {len(card['class_names'])} classes and no others: whatever it is shown, even an empty image, "
        "it reads as one of them."
    )
    yield "How its probabilities compare with how often it is right was not measured: 0.9 need not mean 9 times in 10."


def _of_classes(card: Card) -> Iterator[str]:
    few = [one["name"] for one in card["classes"] if one["rows"] < FEW_ROWS]
    if few:
        yield f"The test split has fewer than {FEW_ROWS} images of {_named(few)}: those rows of the table are unsure."
    tested = [one for one in card["classes"] if one["rows"]]
    weak = sorted((one for one in tested if one["recall"] < WEAK), key=lambda one: float(one["recall"]))
    if weak:
        said = [f"{words.clean(one['name'], 40)} ({one['recall']:.2f})" for one in weak[:MOST_WEAK]]
        more = f" and {len(weak) - MOST_WEAK} more" if len(weak) > MOST_WEAK else ""
        yield f"It misses most often, by recall: {', '.join(said)}{more}."


def _of_looks(card: Card) -> Iterator[str]:
    looks = card["figures"]["looks"]
    unread = looks["ledgers_not_read"]
    if looks["judged_models"] > 1 or unread:
        which = f", not counting {words.count(unread, 'ledger')} that cannot be read" if unread else ""
        yield (
            f"This test split has judged {words.count(looks['judged_models'], 'model')}{which}: the more it judges, "
            "the more hopeful is the best of their figures."
        )
    if looks["openings"] > 1:
        yield f"It was opened {looks['openings']} times, and what came later was chosen in its light."


def _of_formats(card: Card) -> Iterator[str]:
    if int8 := card["formats"].get("litert-int8"):
        yield (
            "litert-int8 computes in whole numbers of eight bits: on the test split a probability of it differed "
            f"by up to {int8['largest_difference']:.2g}, its accuracy is {int8['accuracy']:.4f}."
        )
    where = words.clean(card["measured_on"]["processor"]) or "one processor"
    yield f"Times were measured on one machine ({where}, {card['measured_on']['cpus']} cores), and nowhere else."


def _named(names: list[str]) -> str:
    said = ", ".join(words.clean(name, 40) for name in names[:MOST_WEAK])
    return f"{said} and {len(names) - MOST_WEAK} more" if len(names) > MOST_WEAK else said
