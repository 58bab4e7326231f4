"""Model folders: `manifest.json` and the artifacts it describes, verified before they are used."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mempool_ids._core import (
    FEATURE_NAMES,
    FEATURE_SCHEMA,
    TRACE_FEATURE_NAMES,
    TRACE_FEATURE_SCHEMA,
)
from mempool_ids.exceptions import ModelError

FORMAT = 1
NAME = "manifest.json"
TRACE = "trace"
"""The model over what a simulated transaction does: its place in the manifest, and its name."""
EARLY = "early"
"""The models over a contract's code: their place in the manifest."""
BUILTIN = Path(__file__).parent.parent / "models"
"""The models that come with the package."""


@dataclass(frozen=True)
class Schema:
    """The features that this version computes for one kind of model."""

    version: int
    names: tuple[str, ...]


TRANSACTION_SCHEMA = Schema(FEATURE_SCHEMA, tuple(FEATURE_NAMES))
TRACE_SCHEMA = Schema(TRACE_FEATURE_SCHEMA, tuple(TRACE_FEATURE_NAMES))


@dataclass(frozen=True)
class ModelEntry:
    """One model of a manifest."""

    name: str
    file: str
    sha256: str
    version: str
    kind: str
    schema_version: int
    schema_names: tuple[str, ...]
    input: str
    output: str
    threshold: float
    """A probability that reaches it is an alarm, unless the configuration says otherwise."""
    baseline: tuple[float, ...]
    """Training medians, in schema order."""
    training: dict[str, Any]
    metrics: dict[str, Any]


def read(folder: Path) -> dict[str, Any]:
    """The manifest of a model folder. Raises `ModelError` if there is none or it is of another format."""
    path = folder / NAME
    try:
        manifest = json.loads(path.read_bytes())
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise ModelError(f"{path}: {error}") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        found = manifest.get("format") if isinstance(manifest, dict) else None
        raise ModelError(f"{path}: manifest format {found!r} but this version reads format {FORMAT}")
    return manifest


def entry(manifest: dict[str, Any], name: str | None = None) -> ModelEntry:
    """The named model of `manifest`, or its default one, once its feature schema is the one computed here.

    Raises `ModelError` that says what is wrong.
    """
    models = manifest.get("models", {})
    name = str(manifest.get("default")) if name is None else name
    if name not in models:
        raise ModelError(f"manifest: model {name!r} is not among: {', '.join(models)}")
    return _entry(name, models[name], TRANSACTION_SCHEMA)


def trace_entry(manifest: dict[str, Any]) -> ModelEntry:
    """The model over traces of `manifest`, likewise. Raises `ModelError`, also where there is none."""
    if TRACE not in manifest:
        raise ModelError("manifest: no model over traces; train one")
    return _entry(TRACE, manifest[TRACE], TRACE_SCHEMA)


def early_entry(manifest: dict[str, Any]) -> dict[str, Any]:
    """What `manifest` says of the models over contracts. Raises `ModelError`, also where there are none."""
    if EARLY not in manifest:
        raise ModelError("manifest: no models over contracts; train them")
    entry: dict[str, Any] = manifest[EARLY]
    return entry


def _entry(name: str, fields: dict[str, Any], schema: Schema) -> ModelEntry:
    try:
        result = ModelEntry(
            name=name,
            file=fields["file"],
            sha256=fields["sha256"],
            version=fields["version"],
            kind=fields["kind"],
            schema_version=fields["feature_schema"]["version"],
            schema_names=tuple(fields["feature_schema"]["names"]),
            input=fields["input"],
            output=fields["output"],
            threshold=float(fields["threshold"]),
            baseline=tuple(float(value) for value in fields["baseline"]),
            training=fields.get("training", {}),
            metrics=fields.get("metrics", {}),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"manifest: model {name!r}: {error!r}") from error
    if result.schema_version != schema.version:
        raise ModelError(
            f"{name}: feature schema version {result.schema_version} but this version computes {schema.version};"
            " train the model again"
        )
    if result.schema_names != schema.names:
        raise ModelError(
            f"{name}: feature schema names are not the {len(schema.names)} that this version computes, in order"
        )
    if len(result.baseline) != len(schema.names):
        raise ModelError(f"{name}: baseline has {len(result.baseline)} values, not {len(schema.names)}")
    return result


def artifact(folder: Path, file: str, sha256: str) -> bytes:
    """The bytes of a file beside the manifest. Raises `ModelError` if its hash is another than `sha256`."""
    if Path(file).name != file or file.startswith("."):
        raise ModelError(f"manifest: {file!r} is not a file name beside the manifest")
    path = folder / file
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}") from error
    actual = hashlib.sha256(content).hexdigest()
    if actual != sha256.lower():
        raise ModelError(
            f"{path}: hash is sha256 {actual} but the manifest says {sha256};"
            " the file was altered or is another version"
        )
    return content


def known_selectors(folder: Path = BUILTIN) -> bytes:
    """The verified known-selector set of a model folder: sorted, 4 big-endian bytes each."""
    fields = read(folder)["selectors"]
    return artifact(folder, fields["file"], fields["sha256"])
