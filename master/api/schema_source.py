"""Where the official Kubernetes definitions come from: the data files of the PyPI package kubernetes-validate.

Owns: finding and reading the one version that is served, and undoing what the package did to it. The package itself is
never imported: its code loads what we do not need. Nothing of the definitions is kept in this repository.

Kept in memory: the file's bytes (1.4 MB) with an index of where each definition lies. A definition is decoded when it is
asked for and not kept, because all of them decoded would cost 20 MB.

The package's four rewritings, undone here so that the rest of the API sees the documents as Kubernetes publishes them:
nullable types (`["string", "null"]`), references to `#/$defs/`, an `enum` on `kind` and `apiVersion`, and quantities and
int-or-strings as `oneOf`.
"""

from __future__ import annotations

import functools
import importlib.util
import pathlib
from typing import Any

import msgspec

from common.errors import Unavailable

VERSION = "v1.33.0"
PACKAGE = "kubernetes_validate"
REFERENCE = "#/$defs/"

QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
TIME = "io.k8s.apimachinery.pkg.apis.meta.v1.Time"
MICRO_TIME = "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime"

Json = dict[str, Any]


class _Gvk(msgspec.Struct, frozen=True):
    group: str
    version: str
    kind: str


class _Labels(msgspec.Struct, frozen=True):
    """The one part of a definition that the index needs."""

    gvks: tuple[_Gvk, ...] = msgspec.field(name="x-kubernetes-group-version-kind", default=())


class _File(msgspec.Struct, frozen=True):
    definitions: dict[str, msgspec.Raw] = msgspec.field(name="$defs")


@functools.cache
def _definitions() -> dict[str, msgspec.Raw]:
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise Unavailable(f"the Python package {PACKAGE} is missing: install Steersman with its extra [master]")
    folder = pathlib.Path(found.submodule_search_locations[0]) / "kubernetes-json-schema" / f"{VERSION}-local"
    try:
        data = (folder / "_definitions.json").read_bytes()
    except OSError as error:
        raise Unavailable(f"the package {PACKAGE} has no readable definitions of Kubernetes {VERSION}: {error}") from error
    return msgspec.json.decode(data, type=_File).definitions


@functools.cache
def _names() -> dict[tuple[str, str, str], str]:
    decoder = msgspec.json.Decoder(_Labels)
    return {(gvk.group, gvk.version, gvk.kind): name for name, raw in _definitions().items() for gvk in decoder.decode(raw).gvks}


def name_of(group: str, version: str, kind: str) -> str | None:
    """The definition of a kind (`io.k8s.api.apps.v1.Deployment`), or None."""
    return _names().get((group, version, kind))


def definition(name: str) -> Json:
    """One definition as Kubernetes publishes it, decoded anew; its references are bare names. Raises LookupError."""
    if name == QUANTITY:
        return {"type": "string", "description": "Quantity is a fixed-point representation of a number, such as 500m or 128Mi."}
    if name == INT_OR_STRING:
        return {"type": "string", "format": "int-or-string", "description": "IntOrString is an integer or a string."}
    raw = _definitions().get(name)
    if raw is None:
        raise LookupError(f"Kubernetes {VERSION} has no definition {name}")
    restored = _restore(msgspec.json.decode(raw))
    for field in ("kind", "apiVersion"):
        restored.get("properties", {}).get(field, {}).pop("enum", None)
    return restored


def _restore(part: Any) -> Any:
    """Undo nullable types and reference prefixes, all the way down."""
    if isinstance(part, list):
        return [_restore(item) for item in part]
    if not isinstance(part, dict):
        return part
    restored = {key: _restore(value) for key, value in part.items()}
    kind = restored.get("type")
    if isinstance(kind, list):
        restored["type"] = next(name for name in kind if name != "null")
    reference = restored.get("$ref")
    if isinstance(reference, str):
        restored["$ref"] = reference.removeprefix(REFERENCE)
    return restored
