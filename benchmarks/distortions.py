"""Shows how far reading carries: accuracy on MNIST's test digits drawn onto pages that are distorted in one way each.

    python benchmarks/distortions.py --data FOLDER --model digits.keras --page

`look` reads each page as it would a photograph, and the model names what it is shown; beside it stands the accuracy
on the images as they are stored. The model is a .keras file that takes floats from 0 to 1, or a folder that
`hpsearch export` wrote, whose model takes raw images; --framing says what it was trained on. FOLDER has MNIST's test
files. It writes benchmarks/results/distortions.json, and with --page the table of docs/predict.md; --only measures
some distortions anew and leaves what is known of the others.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distorted import Page
from hpsearch.datasets import idx_format
from hpsearch.predict.framing import Framing
from hpsearch.predict.looking import look
from hpsearch.predict.sights import Picture
from pages import put
from pages import table as markdown
from reporting import RESULTS, Cell, Result, machine

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "predict.md"
COMMAND = "python benchmarks/distortions.py --data FOLDER --model digits.keras --rows {} --page"
COLUMNS = ("page", "by how much", "read right, %", "not read, %", "seen as several, %")
STORED = "as it is stored"
SEED = 20
ALL = 4  # axes of images with a channel
Images = NDArray[np.uint8]
Answer = Callable[[Images], NDArray[Any]]  # raw images to class numbers
Row = list[Cell]

ORDINARY = Page()
DISTORTIONS: dict[str, dict[str, Page]] = {
    "ordinary": {"": ORDINARY},
    "size of the digit": {f"{height} pixels": replace(ORDINARY, height=height) for height in (14, 20, 28, 56, 400)},
    "paper around it": {
        "none": replace(ORDINARY, margin=(0, 0, 0, 0)),
        "a twentieth of its size": replace(ORDINARY, margin=(0.05, 0.05, 0.05, 0.05)),
        "3 times its size": replace(ORDINARY, height=56, margin=(3, 1.5, 1, 3)),
        "10 times its size": replace(ORDINARY, height=56, margin=(10, 3, 5, 7)),
    },
    "width of the pen": {
        f"{pen:g} of 28 pixels": replace(ORDINARY, height=200, pen=pen) for pen in (0.25, 0.5, 1, 2, 3, 4, 5)
    },
    "contrast": {
        f"{paper} on {ink}": replace(ORDINARY, paper=paper, ink=ink, noise=2)
        for paper, ink in ((200, 150), (180, 150), (160, 145))
    },
    "light on dark": {
        f"{paper} on {ink}": replace(ORDINARY, paper=paper, ink=ink) for paper, ink in ((30, 225), (60, 120))
    },
    "light falls off": {f"by {share:.0%}": replace(ORDINARY, shade=share) for share in (0.3, 0.6, 0.8)},
    "shadow over half of it": {f"of {share:.0%}": replace(ORDINARY, shadow=share) for share in (0.2, 0.4, 0.6)},
    "noise": {f"{noise} grey levels": replace(ORDINARY, noise=noise) for noise in (10, 25, 50, 80)},
    "blur": {f"{blur:g} of 28 pixels": replace(ORDINARY, blur=blur) for blur in (0.5, 1, 1.5, 2)},
    "turned": {f"by {turned}°": replace(ORDINARY, turned=turned) for turned in (5, 10, 20, 30)},
    "JPEG": {f"quality {quality}": replace(ORDINARY, quality=quality) for quality in (50, 20, 5)},
    "a poor photograph": {
        "all of these": replace(
            ORDINARY, height=300, pen=1.5, shade=0.4, shadow=0.2, noise=12, blur=0.4, turned=7, quality=40
        )
    },
}


def carried(
    images: Images, labels: NDArray[Any], answer: Answer, framing: Framing, kinds: dict[str, dict[str, Page]]
) -> Iterator[Row]:
    """Draw every image (uint8, rows × 28 × 28) onto a page of each kind, look and have it named; rows in per cent."""
    for distortion, strengths in kinds.items():
        for strength, page in strengths.items():
            random = np.random.default_rng(SEED)
            seen = [look("page", page.draw(image, random), framing) for image in images]
            pictures = [picture for picture in seen if isinstance(picture, Picture)]
            named = answer(np.stack([largest(picture) for picture in pictures])) if pictures else np.zeros(0)
            right = named == labels[[isinstance(picture, Picture) for picture in seen]]
            several = sum(len(picture.characters) > 1 for picture in pictures)
            counts = (int(right.sum()), len(seen) - len(pictures), several)
            yield [distortion, strength, *(round(100 * count / len(seen), 1) for count in counts)]


def largest(picture: Picture) -> Images:
    """The image of the largest character, which is the one that was drawn."""
    return max(picture.characters, key=lambda seen: (seen.box[2] - seen.box[0]) * (seen.box[3] - seen.box[1])).image


def keras_answer(file: Path) -> Answer:
    """The answers of a Keras model that takes floats from 0 to 1, or of an exported folder's, which takes raw ones."""
    import keras

    raw = file.is_dir()
    model = keras.models.load_model(file / "model.keras" if raw else file)

    def answer(images: Images) -> NDArray[Any]:
        given = images if raw else images.astype(np.float32) / np.float32(255)
        shaped = given[..., None] if len(model.input_shape) == ALL else given
        probabilities: NDArray[np.float32] = np.asarray(model.predict(shaped, verbose=0))
        numbers: NDArray[Any] = probabilities.argmax(axis=1)
        return numbers

    return answer


def known(file: Path, words: list[str]) -> dict[tuple[Cell, Cell], Row]:
    """What was measured before; raise SystemExit when that was another kind of table, by its words."""
    if not file.exists():
        return {}
    kept = json.loads(file.read_text(encoding="utf-8"))
    if kept["words"] != words:
        message = f"{file} is another table: {' '.join(kept['words'])}\n  --only adds to one of the same digits"
        raise SystemExit(message)
    return {(row[0], row[1]): row for row in kept["rows"]}


def main() -> None:
    """Measure, print and write."""
    given = _options()
    images = idx_format.read(given.data / "t10k-images-idx3-ubyte.gz", 3)[: given.rows]
    labels = idx_format.read(given.data / "t10k-labels-idx1-ubyte.gz", 1)[: given.rows]
    answer = keras_answer(given.model)
    words = [f"{len(images):,} of MNIST's test digits on each kind of page; read with {given.framing}'s framing."]
    found = known(given.out, words) if given.only else {}
    found[STORED, ""] = [STORED, "", round(100 * float((answer(images) == labels).mean()), 1), None, None]
    kinds = {name: DISTORTIONS[name] for name in given.only or DISTORTIONS}
    for row in carried(images, labels, answer, given.framing, kinds):
        found[row[0], row[1]] = row
        print("".join(f"{cell!s:>24}" for cell in row), flush=True)
    order = [(STORED, ""), *((name, strength) for name, strengths in DISTORTIONS.items() for strength in strengths)]
    rows = [found[key] for key in order if key in found]
    command = COMMAND.format(len(images))
    Result("How far reading carries", command, COLUMNS, rows, machine=machine(), words=words).write(given.out)
    if given.page:
        shown = [["–" if cell is None else cell for cell in row] for row in rows]
        put(PAGE, "distortions", "\n".join([*words, "", markdown(COLUMNS, shown)]))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a folder with MNIST's test files")
    parser.add_argument("--model", type=Path, required=True, help="a .keras file, or an exported folder")
    parser.add_argument("--framing", type=Framing, default=Framing.MNIST, help="what it was trained on (mnist)")
    parser.add_argument("--rows", type=int, default=1000, help="how many of the test images, from the first (1000)")
    parser.add_argument("--only", nargs="*", choices=list(DISTORTIONS), default=[], help="measure these anew")
    parser.add_argument("--out", type=Path, default=RESULTS / "distortions.json")
    parser.add_argument("--page", action="store_true", help="write the table into docs/predict.md")
    return parser.parse_args()


if __name__ == "__main__":
    main()
