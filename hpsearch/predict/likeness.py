"""Says of an image how far it lies from all that a model was trained on, whatever the model thinks of it.

A model's own probabilities do not: it is sure of noise, too. So the training images are described by a mixture of
normal distributions in the space of their principal components, each with what it leaves over outside (as in Tipping
and Bishop 1999, Neural Computation 11:443), and by how much ink they have. Half of them make the description, the
other half say how far out one of their own may lie.
"""

import zipfile
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from hpsearch import files
from hpsearch.errors import StateDamaged, first_line
from hpsearch.zips import open_zip

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ROWS = 20_000  # training images that are looked at, at most
BATCH_ROWS = 2_000
SIDE = 64  # pixels, about; a larger side is averaged down to it, and strokes are seen as well
MEMORY = 300_000_000  # bytes that a description may take while it is made, about
A_PIXEL = 7  # bytes of it for each pixel of a row: itself, and three float32 copies of every other row
COMPONENTS, PARTS = 40, 20
FEW = 4  # rows; so few describe themselves
ROWS_A_PART = 100  # at least; with fewer its own shape could not be told
DIMENSIONS_OUTSIDE = 60  # as so many independent ones counts what the components leave over: neighbours go together
EDGE = 0.999  # the share of training images inside
BLUR = 1 / 28  # of an image's height: so far apart two strokes are the same one
LEAST_INK = 1e-4  # of an image's brightness: below, it is empty
LARGEST_FILE = 64_000_000  # bytes, unpacked


@dataclass(frozen=True)
class Likeness:
    """What training images look like; all arrays are float32, of k components and c parts.

    `size` is the height and width to which images are averaged down, `mean` (pixels) and `axes` (pixels × k) turn such
    an image into components; a part has its `centres` (c × k), its `shapes` (c × k × k, which make it round), its
    `levels` (c, the log of its height) and its `leftovers` (c, the mean square outside). `reach` is where training
    images have their middle and their edge, `ink` the log of the least, the middle and the most ink.
    """

    size: "NDArray[np.float32]"
    mean: "NDArray[np.float32]"
    axes: "NDArray[np.float32]"
    centres: "NDArray[np.float32]"
    shapes: "NDArray[np.float32]"
    levels: "NDArray[np.float32]"
    leftovers: "NDArray[np.float32]"
    reach: "NDArray[np.float32]"
    ink: "NDArray[np.float32]"

    @classmethod
    def fit(cls, images: "NDArray[np.uint8]") -> Self:
        """Learn from training images (rows × height × width); the same images give the same likeness.

        Of 20,000 rows at most, and of fewer where these are large.
        """
        import numpy as np

        size = _smaller(images.shape[1:])
        most = min(ROWS, max(FEW, MEMORY // (A_PIXEL * size[0] * size[1])))
        rows = np.linspace(0, len(images) - 1, min(most, len(images))).astype(int)
        seen = _averaged(images, rows, size)
        described, others = (seen[0::2], seen[1::2]) if len(seen) >= FEW else (np.concatenate([seen] * FEW), seen)
        unscaled = {"reach": np.array([0, 1], np.float32), "ink": np.array([-1, 0, 1], np.float32)}
        rough = cls(np.array(seen.shape[1:], np.float32), **_mixture(_blurred(described)), **unscaled)
        inks, distances = _log_ink(seen), rough._distances(others)
        ink = np.quantile(inks, [(1 - EDGE) / 2, 0.5, (1 + EDGE) / 2])
        reach = np.quantile(distances, [0.5, EDGE])
        slack = 1e-3  # where all are alike, none of them is outside
        ink += [-slack, 0, slack]
        reach[1] += slack
        return cls(**{**rough._arrays(), "reach": reach.astype(np.float32), "ink": ink.astype(np.float32)})

    def score(self, images: "NDArray[np.uint8]") -> "NDArray[np.float32]":
        """How far out each image lies (rows): 0 as the middle one of the training images, above 1 as hardly any."""
        import numpy as np

        middle, edge = self.reach
        height, width = self.size.astype(int)
        small = _averaged(images, np.arange(len(images)), (height, width))
        far = (self._distances(small) - middle) / (edge - middle)
        inks = _log_ink(small)
        least, usual, most = self.ink
        amount = np.where(inks < usual, (inks - usual) / (least - usual), (inks - usual) / (most - usual))
        scores: NDArray[np.float32] = np.maximum(np.maximum(far, amount), 0).astype(np.float32)
        return scores

    def save(self, file: Path) -> None:
        """Write an .npz file of some hundred kilobytes, whole or not at all."""
        import numpy as np

        def fill(temporary: Path) -> None:
            np.savez_compressed(temporary, allow_pickle=False, **self._arrays())

        files.write(file, fill)

    @classmethod
    def load(cls, file: Path, shape: tuple[int, int]) -> Self:
        """Read such a file of images of this height and width; raise StateDamaged when it is none."""
        import numpy as np

        try:
            _refuse_larger(file)
            with np.load(file, allow_pickle=False) as kept:
                return cls(**_checked({field.name: kept[field.name] for field in fields(cls)}, shape))
        except Exception as error:  # a damaged zip file raises almost anything
            why = first_line(str(error))
            message = f"{file}: what the training images look like cannot be read ({type(error).__name__}: {why})"
            message += "\n  delete the file, or export the model again"
            raise StateDamaged(message) from error

    def _arrays(self) -> "dict[str, NDArray[np.float32]]":
        return asdict(self)

    def _distances(self, images: "NDArray[np.uint8]") -> "NDArray[np.float64]":
        """The negative log of the density at each image, up to a constant."""
        import numpy as np

        starts = range(0, len(images), BATCH_ROWS)
        parts = [self._distance(_blurred(images[start : start + BATCH_ROWS])) for start in starts]
        return np.concatenate([np.zeros(0), *parts])

    def _distance(self, blurred: "NDArray[np.float32]") -> "NDArray[np.float64]":
        import numpy as np
        from scipy.special import logsumexp

        apart = blurred - self.mean
        inside = apart @ self.axes
        outside = np.maximum((apart * apart).sum(axis=1) - (inside * inside).sum(axis=1), 0)
        heights = [
            level - (((inside - centre) @ shape.T) ** 2).sum(axis=1) / 2 - DIMENSIONS_OUTSIDE * outside / leftover / 2
            for centre, shape, level, leftover in zip(
                self.centres, self.shapes, self.levels, self.leftovers, strict=True
            )
        ]
        distance: NDArray[np.float64] = -logsumexp(np.array(heights, np.float64), axis=0)
        return distance


def _refuse_larger(file: Path) -> None:
    with open_zip(file) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > LARGEST_FILE:
            message = "it unpacks to more than a likeness does"
            raise zipfile.BadZipFile(message)


def _smaller(shape: tuple[int, ...]) -> tuple[int, int]:
    """The height and width of images of this shape when whole pixels of them are averaged."""
    height, width = (-(-side // max(1, round(side / SIDE))) for side in shape)
    return height, width


def _averaged(images: "NDArray[np.uint8]", rows: "NDArray[np.int64]", size: tuple[int, int]) -> "NDArray[np.uint8]":
    """These rows, averaged down to a height and width one after another; as they are where it is theirs."""
    import numpy as np
    from PIL import Image

    down, across = (-(-side // small) for side, small in zip(images.shape[1:], size, strict=True))
    if down == across == 1:
        return np.asarray(images[rows])
    small = np.empty((len(rows), *size), np.uint8)
    for place, row in enumerate(rows):
        small[place] = np.asarray(Image.fromarray(images[row]).reduce((across, down)))
    return small


def _blurred(images: "NDArray[np.uint8]") -> "NDArray[np.float32]":
    """Images as rows of pixels in 0 … 1, without what is finer than a stroke."""
    import numpy as np
    from scipy.ndimage import gaussian_filter

    width = images.shape[1] * BLUR
    rows: NDArray[np.float32] = gaussian_filter(images.astype(np.float32) / 255, (0, width, width))
    return rows.reshape(len(rows), images.shape[1] * images.shape[2])


def _log_ink(images: "NDArray[np.uint8]") -> Any:
    import numpy as np

    return np.log(images.mean(axis=(1, 2)) / 255 + LEAST_INK)


def _mixture(rows: "NDArray[np.float32]") -> "dict[str, NDArray[np.float32]]":
    """Components, and parts found by k-means among them; a part's shape leans on all parts' where it has few rows."""
    import numpy as np
    from sklearn.cluster import KMeans
    from sklearn.decomposition import PCA

    components = max(1, min(COMPONENTS, rows.shape[1] - 1, len(rows) // 4))
    wanted = max(1, min(PARTS, len(rows) // ROWS_A_PART))
    with np.errstate(invalid="ignore"):  # rows that are all alike have no variance to take shares of
        pca = PCA(components, svd_solver="randomized", random_state=0).fit(rows)
    inside = (rows - pca.mean_) @ pca.components_.T
    outside = ((rows - pca.mean_) ** 2).sum(axis=1) - (inside**2).sum(axis=1)
    groups = KMeans(wanted, n_init=1, max_iter=30, random_state=0).fit(inside)
    least = 1e-6 * (float(rows.var()) + 1e-9)
    common = _spread(inside - groups.cluster_centers_[groups.labels_], least)
    parts = []
    for part in np.unique(groups.labels_):
        its = inside[groups.labels_ == part]
        lean = components / (len(its) + components)
        spread = (1 - lean) * _spread(its - its.mean(axis=0), least) + lean * common
        lower = np.linalg.cholesky(spread)
        level = np.log(len(its) / len(rows)) - np.log(np.diag(lower)).sum()
        leftover = max(outside[groups.labels_ == part].mean(), least)
        parts.append((its.mean(axis=0), np.linalg.inv(lower), level, leftover))
    found = [np.array(column, np.float32) for column in zip(*parts, strict=True)]
    named = dict(zip(("centres", "shapes", "levels", "leftovers"), found, strict=True))
    return {"mean": pca.mean_.astype(np.float32), "axes": pca.components_.T.astype(np.float32), **named}


def _spread(apart: Any, least: float) -> Any:
    """The covariance of rows about zero, never flat."""
    import numpy as np

    return apart.T.astype(np.float64) @ apart / max(1, len(apart)) + least * np.eye(apart.shape[1])


def _checked(arrays: "dict[str, NDArray[Any]]", shape: tuple[int, int]) -> "dict[str, NDArray[np.float32]]":
    """The arrays, if they fit each other and images of this height and width; else raise ValueError."""
    import numpy as np

    pixels, components, parts = len(arrays["mean"]), arrays["axes"].shape[-1], len(arrays["centres"])
    shapes = {
        "size": (2,), "mean": (pixels,), "axes": (pixels, components), "centres": (parts, components),
        "shapes": (parts, components, components), "levels": (parts,), "leftovers": (parts,), "reach": (2,),
        "ink": (3,),
    }  # fmt: skip
    for name, its in shapes.items():
        if arrays[name].shape != its or arrays[name].dtype != np.float32 or not np.isfinite(arrays[name]).all():
            message = f"{name} is not float32 of shape {its}"
            raise ValueError(message)
    if tuple(arrays["size"]) != _smaller(shape) or arrays["size"].prod() != pixels:
        message = f"it does not describe images of {shape[0]} × {shape[1]}"
        raise ValueError(message)
    return arrays
