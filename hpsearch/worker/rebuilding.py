"""Makes a whole model file of a trial's kept weights: builds its model from its values again and puts them in."""

from dataclasses import dataclass
from pathlib import Path

from hpsearch.errors import StateDamaged, first_line
from hpsearch.files import write
from hpsearch.seeds import derive
from hpsearch.space import Parameter, Value, Values
from hpsearch.worker.task import Task


@dataclass(frozen=True)
class Remains:
    """What is left of a trial's model: its values, the task it was built for, and the file of its weights.

    `seed` is that of the fit which made it: build_model may draw what is no weight, such as a fixed projection.
    """

    build: str
    values: Values
    task: Task
    weights: Path
    seed: int
    precision: str = "float32"


def rebuild(root: Path, remains: Remains, target: Path) -> None:
    """Write the model as a `.keras` file.

    Raises StateDamaged when the weights are missing, damaged or another model's, when build_model asks for what the
    trial was not asked for, or when it fails; ExperimentRefused when there is no such build_model, or no file holds
    what it makes.
    """
    import keras
    import numpy as np

    from hpsearch.worker import building, checkpoint, seeding, trying
    from hpsearch.worker.completing import complete
    from hpsearch.worker.finding import find_build
    from hpsearch.worker.hp import AskingHyperParameters
    from hpsearch.worker.keeping import keep
    from hpsearch.worker.rows import fitted

    def ask(parameter: Parameter) -> Value:
        message = f"build_model asks for {parameter.name!r} now; it did not when the trial was trained"
        raise ValueError(message)

    keras.config.set_dtype_policy(remains.precision)
    hp = AskingHyperParameters(ask, remains.task, dict(remains.values))
    with seeding.imported_under(derive(remains.seed, "model")):  # as before the fit's own build
        function = find_build(root, remains.build)
    try:
        model = building.build(function, hp)
        rows = trying.rows_of_noise(remains.task, trying.FEW)
        shaped = fitted(rows, model)  # which builds one that has no Input layer
        batch = shaped.batch(rows.train[:1])
        for step in (batch, (*batch, np.ones(1, np.float32))):  # it may have been trained with weights of classes
            complete(model, step, optimizer=False)
        checkpoint.load_weights(remains.weights, model)
    except Exception as error:  # build_model is a person's, and may raise anything
        why = first_line(f"{type(error).__name__}: {error}")
        message = f"{remains.weights}: no model can be made of these weights\n  {why}"
        raise StateDamaged(message) from error
    write(target, lambda file: keep(model, file, rows.images))
