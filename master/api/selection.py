"""Label and field selectors, applied to stored bytes.

Decodes no more than the question needs: names and namespaces are in the key, labels need the metadata only, and only other
fields need the whole document. What a kind's fields are is in the registry; asking for another is refused.
"""

from __future__ import annotations

import functools

import msgspec

from common.errors import BadRequest
from common.objects import selectors
from master.api import documents
from master.api.contract import Selection
from master.api.registry import Resource
from master.store.packing import unpack

IN_THE_KEY = frozenset({"metadata.name", "metadata.namespace"})


class _Metadata(msgspec.Struct):
    labels: dict[str, str] = {}


class _Labelled(msgspec.Struct):
    metadata: _Metadata


_labelled = msgspec.json.Decoder(_Labelled)


@functools.cache
def known_fields(resource: Resource) -> frozenset[str]:
    extra = resource.fields({"metadata": {}}) if resource.fields is not None else {}
    return IN_THE_KEY | extra.keys()


class Filter:
    """`matches(key, packed)`. Raises BadRequest when made of a selector that cannot be read or asks for unknown fields."""

    def __init__(self, resource: Resource, selection: Selection) -> None:
        self._resource = resource
        self._labels = selectors.parse_labels(selection.labels)
        self._fields = selectors.parse_fields(selection.fields)
        known = known_fields(resource)
        for field in self._fields.names:
            if field not in known:
                raise _unknown(resource, field)
        self._needs_document = any(field not in IN_THE_KEY for field in self._fields.names)
        self.everything = self._labels.empty and self._fields.empty

    def name(self) -> str | None:
        """The one name that can match, if the selector says so."""
        return self._fields.exact("metadata.name")

    def matches(self, key: str, packed: bytes) -> bool:
        """packed: as the store keeps it; unpacked only if the question needs it."""
        if self.everything:
            return True
        value = unpack(packed) if self._needs_document or not self._labels.empty else b""
        if not self._labels.empty and not self._labels.matches(_labelled.decode(value).metadata.labels):
            return False
        if self._fields.empty:
            return True
        _, namespace, name = key.split("/", 2)
        fields = {"metadata.name": name, "metadata.namespace": namespace}
        if self._needs_document and self._resource.fields is not None:
            fields.update(self._resource.fields(documents.decode(value)))
        return self._fields.matches(fields)


def _unknown(resource: Resource, field: str) -> BadRequest:
    if resource.fields is not None:
        return BadRequest(f"field label not supported: {field}")
    return BadRequest(f'"{field}" is not a known field selector: only "metadata.name", "metadata.namespace"')
