"""What `build_model` may know of the work ahead: it hangs on our `hp` as `hp.task`."""

from dataclasses import dataclass
from math import ceil


@dataclass(frozen=True)
class Task:
    """The images, classes and length of a training; `rows` are those of the actual train part."""

    image_shape: tuple[int, ...]
    classes: int
    class_names: tuple[str, ...]
    rows: int
    epochs: int
    batch_size: int

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps an epoch, the last of which may see fewer rows."""
        return ceil(self.rows / self.batch_size)
