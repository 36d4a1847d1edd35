"""From a definition to what the catalogue serves: one Resource for each served version, the stored one first. Pure.

The hooks that a built-in kind writes by hand (how a document is decoded, defaulted, validated, printed, selected) are made here
from the definition's data. Each is a closure over one version; the definition is immutable, and a changed one makes new resources.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

from common import jsonpath
from common.errors import BadRequest, FieldCause
from common.objects.customresource import CustomResourceDefinition, PrinterColumn, Version
from master.api import schema, strict
from master.api.contract import Document
from master.api.crd import nodes, validation, values
from master.api.crd.conversion import Asking, Conversion
from master.api.kinds import rules
from master.api.kinds.columns import AGE, NAME, Cell, Column, since
from master.api.registry import ALL_BUT_STATUS, SCALE, STATUS, Resource, Scaling


def resources(definition: CustomResourceDefinition, asking: Asking) -> list[Resource]:
    """Those of the versions that are served. The stored version's comes first, also when it is not served itself."""
    stored = definition.storage
    others = [version for version in definition.spec.versions if version.served and version is not stored]
    conversion = Conversion(definition, asking) if len(definition.spec.versions) > 1 else None
    return [_resource(definition, version, conversion) for version in (stored, *others)]


def _resource(definition: CustomResourceDefinition, version: Version, conversion: Conversion | None) -> Resource:
    spec, names = definition.spec, definition.spec.names
    subresources = []
    if version.subresources.status is not None:
        subresources.append(STATUS)
    if version.subresources.scale is not None:
        subresources.append(SCALE)
    custom = _Custom(spec.group, version)
    return Resource(
        names.plural, names.kind, names.singular or names.kind.lower(), group=spec.group, version=version.name,
        namespaced=spec.scope == "Namespaced", short_names=names.short_names, categories=names.categories,
        subresources=tuple(subresources), columns=_columns(version.additional_printer_columns),
        custom=custom, served=version.served, conversion=conversion, stored="" if version.storage else definition.key,
        default=custom.default, validate=custom.validate, prepare=custom.prepare,
        fields=custom.fields if _can_select(definition, version) else None, spec_paths=ALL_BUT_STATUS,
        scaling=_scaling(version), conditional=True,
    )  # fmt: skip


def _can_select(definition: CustomResourceDefinition, version: Version) -> bool:
    """Selectors look at what is stored: where a webhook makes the versions, other versions' fields are not to be found in it."""
    return bool(version.selectable_fields) and (version.storage or definition.spec.conversion.strategy == "None")


class _Custom:
    """What the definition of one version says. schema: its openAPIV3Schema. node: the same, for merging by keys."""

    def __init__(self, group: str, version: Version) -> None:
        self.schema = version.schema.open_api_v3_schema
        self.node = nodes.compiled(self.schema)
        self._has_status = version.subresources.status is not None
        self._fields = tuple(field.json_path for field in version.selectable_fields)

    def decode(self, document: Document, *, mode: str, duplicates: Sequence[str]) -> tuple[Document, list[str]]:
        """A copy with typed metadata and without what the schema does not know; the warnings (mode Warn). Raises BadRequest."""
        cleaned = {key: copy.deepcopy(value) for key, value in document.items() if key != "metadata"}
        kind, version = document.get("kind", ""), str(document.get("apiVersion", "")).rpartition("/")[2]
        head, said = strict.check(
            {"metadata": document.get("metadata") or {}}, _head(), mode=strict.WARN, duplicates=duplicates
        )
        cleaned["metadata"] = head.get("metadata", {})
        said += [f'unknown field "{path}"' for path in values.prune(cleaned, self.schema)]
        if said and mode == strict.STRICT:
            what = f'{kind} in version "{version}" cannot be handled as a {kind}'
            raise BadRequest(f"{what}: strict decoding error: {', '.join(said[: strict.MAX_REPORTED])}")
        return cleaned, said[: strict.MAX_REPORTED] if mode == strict.WARN else []

    def prepare(self, new: Document, old: Document | None) -> None:
        if old is None and self._has_status:
            new.pop("status", None)

    def default(self, document: Document) -> None:
        values.default(document, self.schema)

    def validate(self, new: Document, old: Document | None) -> list[FieldCause]:
        before = values.MISSING if old is None else old
        return rules.metadata(new) + validation.validate(new, self.schema, old=before)

    def fields(self, document: Document) -> dict[str, str]:
        return {path.removeprefix("."): _text(jsonpath.find(document, path)) for path in self._fields}


def _head() -> schema.Node:
    """The schema of an object of which only the metadata is known."""
    return schema.Node(type=schema.Type.OBJECT, fields={"metadata": schema.for_kind("v1", "ConfigMap").fields["metadata"]})


def _text(found: list[Any]) -> str:
    if not found or found[0] is None:
        return ""
    value = found[0]
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _scaling(version: Version) -> Scaling | None:
    paths = version.subresources.scale
    if paths is None:
        return None
    selector = jsonpath.field_path(paths.label_selector_path) if paths.label_selector_path else ()
    return Scaling(jsonpath.field_path(paths.spec_replicas_path), jsonpath.field_path(paths.status_replicas_path), selector)


# ----------------------------------------------------------------------- columns


def _columns(given: tuple[PrinterColumn, ...]) -> tuple[Column, ...]:
    """The name, then the definition's own columns; without any, name and age."""
    if not given:
        return (NAME, AGE)
    return (NAME, *(Column(c.name, _cell(c), type=c.type, format=c.format, description=c.description, priority=c.priority) for c in given))


def _cell(column: PrinterColumn) -> Callable[[Document, float], Cell]:
    def cell(document: Document, now: float) -> Cell:
        found = jsonpath.find(document, column.json_path)
        if not found or found[0] is None:
            return ""
        value = found[0]
        if column.type == "date":
            return since(value if isinstance(value, str) else None, now)
        if column.type in ("integer", "boolean") and isinstance(value, (int, bool)):
            return value
        return ",".join(_text([one]) for one in found)

    return cell
