"""Registers a study's winner in MLflow's model registry, where others load it as `models:/NAME@champion`."""

import json
from collections.abc import Mapping

from hpsearch.trackers.mlflow_store import client
from hpsearch.words import clean

CHAMPION = "champion"
MODELS = "models:/"  # how the address of a logged or registered model begins
VERSIONS = "mlflow.modelVersions"  # by this tag MLflow's page of a logged model names the versions made of it


def register(uri: str, name: str, address: str, run_id: str, about: Mapping[str, str]) -> str:
    """Make a version of the registered model NAME of the model logged at `address`, and give it the alias "champion".

    `about` are the version's tags. It is called in a fresh process, because MLflow looks for the logged model in
    whatever store its process takes for the only one. A model that has its version keeps that one. Gives the
    version's address, such as "models:/NAME/3".
    """
    own = client(uri)
    import mlflow
    from mlflow.exceptions import MlflowException

    mlflow.set_tracking_uri(uri)
    try:
        own.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    model_id = address.removeprefix(MODELS)
    versions = own.search_model_versions(f"name = '{name}'", order_by=["version_number DESC"])
    version = next((one for one in versions if one.source == address), None)
    newest = version is None or version.version == versions[0].version  # told again later, it takes nobody's place
    version = version or own.create_model_version(name, address, run_id, dict(about), model_id=model_id)
    if newest:
        own.set_registered_model_alias(name, CHAMPION, version.version)
    own.set_logged_model_tags(model_id, {VERSIONS: json.dumps([{"name": name, "version": int(version.version)}])})
    return clean(f"{MODELS}{name}/{version.version}")
