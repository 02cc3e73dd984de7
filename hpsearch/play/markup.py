"""Writes what the models read as HTML; every word that comes from outside is escaped."""

import base64
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup

from hpsearch.play.reading import Guess, Reading

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ANSWER = Markup(
    '<section class="play-answer" data-answer="{name}"><h3>{label}</h3>'
    '<div class="play-verdict"><span class="play-letter" role="status">{name}</span>'
    '<span class="play-sure">{share}</span>'
    "<figure>{seen}<figcaption>what it sees</figcaption></figure></div>"
    '<ol class="play-top">{top}</ol>{unlike}</section>'
)
ROW = Markup('<li><span>{name}</span><b><i style="width:{width:.1f}%"></i></b><span>{share}</span></li>')
UNLIKE = Markup('<p class="play-unlike">This is unlike what the model was trained on; its answer may mean nothing.</p>')
WAITING = Markup(
    '<section class="play-answer play-waiting"><h3>{label}</h3>'
    '<div class="play-verdict"><span class="play-letter">?</span></div><p>{words}</p></section>'
)
CARD = Markup('<button type="button" data-place="{place}" aria-pressed="{chosen}">{seen}<span>{name}</span></button>')
IMAGE = Markup(
    '<img class="play-seen" alt="{words}" width="{width}" height="{height}" src="data:image/png;base64,{data}">'
)


def answers(labels: Sequence[str], guesses: Sequence[Guess]) -> str:
    """The answers of all models to one character, side by side."""
    return _side_by_side([_answer(label, guess) for label, guess in zip(labels, guesses, strict=True)])


def waiting(labels: Sequence[str], words: str) -> str:
    """The same place while there is nothing to answer, with the reason."""
    return _side_by_side([WAITING.format(label=label, words=words) for label in labels])


def cards(reading: Reading, chosen: int) -> str:
    """The characters of a photograph to choose from, as the first model sees and reads them; "" for a single one."""
    if len(reading.guesses) < 2:  # noqa: PLR2004  # one is shown as it is
        return ""
    made = [
        CARD.format(
            place=place,
            chosen="true" if place == chosen else "false",
            seen=_image(guesses[0].image, f"character {place + 1}"),
            name=guesses[0].likeliest[0][0],
        )
        for place, guesses in enumerate(reading.guesses)
    ]
    return Markup('<div class="play-cards">{}</div>').format(Markup("").join(made))


def kept(count: int, folder: str, said: str = "") -> str:
    """How many corrections are kept, where, and what was just done."""
    words = Markup('<p class="play-kept" role="status">{said}<b data-kept="{count}">{count} kept</b> in {folder}</p>')
    return words.format(said=f"{said} " if said else "", count=count, folder=folder)


def _side_by_side(parts: Sequence[Markup]) -> Markup:
    several = " play-several" if len(parts) > 1 else ""
    return Markup('<div class="play-answers{}">{}</div>').format(several, Markup("").join(parts))


def _answer(label: str, guess: Guess) -> Markup:
    rows = [ROW.format(name=name, width=100 * share, share=f"{share:.1%}") for name, share in guess.likeliest]
    name, share = guess.likeliest[0]
    return ANSWER.format(
        name=name,
        label=label,
        share=f"{share:.1%}",
        seen=_image(guess.image, "what the model sees"),
        top=Markup("").join(rows),
        unlike=UNLIKE if guess.unlike else "",
    )


def _image(image: "NDArray[np.uint8]", words: str) -> Markup:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    data = base64.b64encode(file.getvalue()).decode()
    return IMAGE.format(words=words, width=image.shape[1], height=image.shape[0], data=data)
