"""A search space whose one parameter is the number of a fixed configuration: the same work for every search."""

import json
from pathlib import Path

import keras
from keras_tuner import HyperParameters

from searchspace.cnn import build_model_cnn
from searchspace.mlp import build_model_mlp

BUILDS = {"mlp": build_model_mlp, "cnn": build_model_cnn}


def build_model(hp: HyperParameters) -> keras.Model:
    """Build the model of a configuration in configurations.json, which lies beside this file."""
    fixed = json.loads((Path(__file__).parent / "configurations.json").read_text(encoding="utf-8"))
    number = hp.Choice("configuration", list(range(len(fixed["values"]))))
    given = HyperParameters()
    given.values.update(fixed["values"][number])
    given.task = hp.task
    model = BUILDS[fixed["space"]](given)
    model.configuration = number  # for the callback that notes which configuration reached what
    return model
