"""Lays out the page in Gradio: the paper, the answers, and a place to correct them."""

import base64
import binascii
import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpsearch.errors import HpsearchError, first_line
from hpsearch.play import markup
from hpsearch.play.corrections import Corrections
from hpsearch.play.photos import Photos
from hpsearch.play.reading import Readers, Reading

if TYPE_CHECKING:
    import gradio

FEW = 12  # classes that are buttons; more are a list to search in
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"  # and then its width and its height, of four bytes each
MOST_DRAWN = 1_000_000  # pixels; the paper has 392 × 392, and a PNG of one megabyte may unpack to 64 million
NOTHING = "Draw a character, or drop a photo."


@dataclass(frozen=True)
class Shown:
    """What a visitor's page shows: a reading, and which of its characters."""

    reading: Reading | None = None
    place: int = 0


@dataclass(frozen=True)
class Page:
    """What the page's parts do."""

    readers: Readers
    photos: Photos
    corrections: Corrections

    @property
    def labels(self) -> list[str]:
        """The names of the models."""
        return [model.label for model in self.readers.models]

    def read(self, value: str | None) -> tuple[Shown, str, str]:
        """Read what the paper sends: a drawing, the number of a photograph, or nothing."""
        try:
            reading, why = self._reading(value)
        except HpsearchError as error:
            reading, why = None, first_line(str(error))
        if reading is None or not reading.guesses:
            return Shown(), markup.waiting(self.labels, why or "No characters were found."), ""
        return self._showing(reading, 0)

    def _reading(self, value: str | None) -> tuple[Reading | None, str]:
        told = _told(value)
        if isinstance(number := told.get("photo"), str):
            return self.photos.taken(number), "This photo was read too long ago: drop it again."
        if not isinstance(ink := told.get("ink"), str):
            return None, NOTHING
        try:
            drawing = base64.b64decode(ink, validate=True)
        except (binascii.Error, ValueError):
            return None, NOTHING
        if not _fits_the_paper(drawing):
            return None, NOTHING
        read = self.readers.read("the drawing", drawing, one=True)
        return (read, "") if isinstance(read, Reading) else (None, read.why)

    def choose(self, shown: Shown, place: object) -> tuple[Shown, str, str]:
        """Show another character of the photograph."""
        if shown.reading is None:
            return shown, markup.waiting(self.labels, NOTHING), ""
        known = isinstance(place, int) and 0 <= place < len(shown.reading.guesses)
        return self._showing(shown.reading, place if known and isinstance(place, int) else shown.place)

    def _showing(self, reading: Reading, place: int) -> tuple[Shown, str, str]:
        answers = markup.answers(self.labels, reading.guesses[place])
        return Shown(reading, place), answers, markup.cards(reading, place)

    def keep(self, shown: Shown, right: int | None) -> tuple[str, None]:
        """Keep the character that is shown under its right class; clear the choice."""
        names = self.readers.models[0].class_names
        if shown.reading is None:
            return self.kept("Draw something first."), None
        if right is None or not 0 <= right < len(names):
            return self.kept("Choose what it is first."), None
        try:
            self.corrections.keep(shown.reading.guesses[shown.place][0].image, names[right])
        except HpsearchError as error:
            return self.kept(first_line(str(error))), None
        return self.kept(f"Kept as {names[right]}."), None

    def kept(self, said: str = "") -> str:
        """How many corrections there are."""
        folder = self.corrections.folder
        shown = folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
        return markup.kept(self.corrections.count(), str(shown), said)


def _fits_the_paper(drawing: bytes) -> bool:
    """Whether it is a PNG of no more pixels than a drawing may have: what has more is no drawing of this page."""
    width, height = (int.from_bytes(drawing[start : start + 4]) for start in (16, 20))
    return drawing.startswith(PNG) and width * height <= MOST_DRAWN


def _told(value: str | None) -> dict[str, Any]:
    try:
        told = json.loads(value or "{}")
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def blocks(page: Page) -> "gradio.Blocks":
    """The page, for Gradio to serve."""
    import gradio

    made: gradio.Blocks
    with gradio.Blocks(title="hpsearch play", analytics_enabled=False) as made:
        shown = gradio.State(Shown())
        with gradio.Row(elem_id="play"):
            with gradio.Column(min_width=300, scale=2):
                paper = gradio.HTML(
                    html_template=_file("paper.html"), js_on_load=_file("canvas.js"), elem_id="paper",
                )  # fmt: skip
            with gradio.Column(min_width=300, scale=3):
                cards = gradio.HTML("", js_on_load=_file("cards.js"), elem_id="cards")
                answers = gradio.HTML(markup.waiting(page.labels, NOTHING), js_on_load=None, elem_id="answers")
                with gradio.Column(elem_id="correct"):
                    right = _classes(page.readers.models[0].class_names)
                    button = gradio.Button("Keep", elem_id="keep")
                    count = gradio.HTML(page.kept(), js_on_load=None, elem_id="kept")

        def chosen(now: Shown, event: gradio.EventData) -> tuple[Shown, str, str]:
            return page.choose(now, (event._data or {}).get("place"))  # noqa: SLF001  # its own door fails without data

        # Without Gradio's queue: its stream of answers is closed now and then while a question is on its way, and the
        # page then waits for ever. An answer takes milliseconds, so that there is nothing to queue for.
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "queue": False}
        paper.input(page.read, paper, [shown, answers, cards], trigger_mode="always_last", **quiet)
        cards.click(chosen, shown, [shown, answers, cards], **quiet)
        button.click(page.keep, [shown, right], [count, right], **quiet)
        made.load(page.kept, None, count, **quiet)
    return made


def _classes(names: tuple[str, ...]) -> "gradio.Radio | gradio.Dropdown":
    import gradio

    choices: list[tuple[str, str | int | float]] = [(name, place) for place, name in enumerate(names)]
    label = "Wrong? Choose what it is, and keep it to learn from"
    if len(names) <= FEW:
        return gradio.Radio(choices, label=label, elem_id="right")
    return gradio.Dropdown(choices, value=None, label=label, elem_id="right")


def _file(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
