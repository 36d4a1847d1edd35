"""Content negotiation: what form of answer the `Accept` header asks for.

kubectl asks for Tables, informers for metadata alone, typed clients for protobuf with JSON as the second choice. We answer in
JSON always; a protobuf wish is answered in JSON too, which every client decodes by the reply's Content-Type.

    application/json;as=Table;v=v1;g=meta.k8s.io                  Form.TABLE
    application/json;as=PartialObjectMetadata[List];...           Form.PARTIAL
    application/json, application/*, */*, protobuf, no header     Form.PLAIN
    anything else                                                 NotAcceptable

Pure; the few distinct headers that clients send are parsed once.
"""

from __future__ import annotations

import functools

import msgspec

from common.errors import NotAcceptable
from master.api.forms import Form

MAX_HEADER = 4096
JSON = "application/json"
PROTOBUF = "application/vnd.kubernetes.protobuf"
_PLAIN = frozenset((JSON, "application/*", "*/*"))


class Accepted(msgspec.Struct, frozen=True):
    """version: of meta.k8s.io, for tables and partial objects."""

    form: Form
    version: str = "v1"


class Clause(msgspec.Struct, frozen=True):
    media: str
    parameters: dict[str, str]


def _quality(parameters: dict[str, str]) -> float:
    try:
        return float(parameters.get("q", "1"))
    except ValueError:
        return 0.0


def clauses(header: str) -> list[Clause]:
    """The header's clauses, best first: by `q`, then in the order given; those with q=0 are refusals and left out."""
    found: list[tuple[float, Clause]] = []
    for part in header.split(","):
        media, *rest = part.split(";")
        parameters = {key.strip().lower(): value.strip() for key, _, value in (item.partition("=") for item in rest)}
        quality = _quality(parameters)
        if media.strip() and quality > 0:
            found.append((quality, Clause(media.strip().lower(), parameters)))
    return [clause for _, clause in sorted(found, key=lambda pair: -pair[0])]


def _accepted(clause: Clause) -> Accepted | None:
    if clause.media not in _PLAIN and clause.media != PROTOBUF:
        return None
    wish = clause.parameters.get("as", "")
    if not wish:
        return Accepted(Form.PLAIN)
    version = clause.parameters.get("v", "")
    if clause.media == PROTOBUF or clause.parameters.get("g") != "meta.k8s.io" or version not in ("v1", "v1beta1"):
        return None
    if wish == "Table":
        return Accepted(Form.TABLE, version)
    if wish in ("PartialObjectMetadata", "PartialObjectMetadataList"):
        return Accepted(Form.PARTIAL, version)
    return None


@functools.lru_cache(maxsize=256)
def _negotiate(header: str) -> Accepted:
    if not header.strip():
        return Accepted(Form.PLAIN)
    fallback: Accepted | None = None
    for clause in clauses(header):
        accepted = _accepted(clause)
        if accepted is None:
            continue
        if clause.media == PROTOBUF:
            fallback = fallback or accepted
            continue
        return accepted
    if fallback is not None:
        return fallback
    raise NotAcceptable(f"only the following media types are accepted: {JSON}")


def negotiate(header: str) -> Accepted:
    """Raises NotAcceptable."""
    if len(header) > MAX_HEADER:
        raise NotAcceptable(f"the Accept header is longer than {MAX_HEADER} characters")
    return _negotiate(header)


@functools.lru_cache(maxsize=64)
def aggregated_discovery(header: str) -> str:
    """ "v2" or "v2beta1" when that form of discovery is wished for before any other that we have, else ""."""
    for clause in clauses(header[:MAX_HEADER]):
        if clause.media != JSON and clause.media not in _PLAIN:
            continue
        if "as" not in clause.parameters:
            return ""
        version = clause.parameters.get("v", "")
        if clause.parameters["as"] == "APIGroupDiscoveryList" and version in ("v2", "v2beta1"):
            return version
    return ""
