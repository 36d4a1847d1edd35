"""CustomResourceDefinition: defaults, validation, columns. What a definition then serves is `master/api/crd`'s business."""

from __future__ import annotations

from typing import Any

from common import jsonpath
from common.errors import FieldCause
from master.api.contract import Document
from master.api.crd import structural
from master.api.kinds import rules, webhook
from master.api.kinds.columns import NAME, Column

CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
"""The finalizer under which instances go before their definition."""
REVIEWS = ("v1", "v1beta1")
"""Versions of ConversionReview that are spoken."""
COLUMN_TYPES = ("integer", "number", "string", "boolean", "date")
COLUMNS = (
    NAME,
    Column("Created At", lambda d, now: d["metadata"].get("creationTimestamp") or "", type="date",
           description="When the definition was made."),
)  # fmt: skip


def default(document: Document) -> None:
    spec = document.setdefault("spec", {})
    names = spec.setdefault("names", {})
    if kind := names.get("kind"):
        names.setdefault("singular", kind.lower())
        names.setdefault("listKind", f"{kind}List")
    conversion = spec.setdefault("conversion", {})
    conversion.setdefault("strategy", "None")
    webhook.default((conversion.get("webhook") or {}).get("clientConfig"))


def prepare(new: Document, old: Document | None) -> None:
    """Status and the clean-up finalizer are the server's."""
    if old is None:
        new.pop("status", None)
        finalizers = new["metadata"].setdefault("finalizers", [])
        if CLEANUP not in finalizers:
            finalizers.append(CLEANUP)


def validate(new: Document, old: Document | None) -> list[FieldCause]:
    spec = new["spec"]
    found = rules.metadata(new) + _names(new, spec) + _versions(spec)
    found += _conversion(spec.get("conversion") or {})
    if spec.get("preserveUnknownFields"):
        found.append(rules.invalid("spec.preserveUnknownFields", True, "must be false or not be set"))
    if old is not None:
        before = old["spec"]
        found += rules.immutable("spec.group", spec.get("group"), before.get("group"))
        if any(c.get("type") == "Established" and c.get("status") == "True" for c in (old.get("status") or {}).get("conditions") or ()):
            found += rules.immutable("spec.scope", spec.get("scope"), before.get("scope"))
            found += rules.immutable("spec.names.kind", spec["names"].get("kind"), before["names"].get("kind"))
            found += rules.immutable("spec.names.plural", spec["names"].get("plural"), before["names"].get("plural"))
        found += _stored_versions(spec, (new.get("status") or {}).get("storedVersions") or [])
    return found


def _conversion(conversion: Document) -> list[FieldCause]:
    strategy, asked, path = conversion.get("strategy"), conversion.get("webhook"), "spec.conversion"
    found = rules.one_of(f"{path}.strategy", strategy, ("None", "Webhook"))
    if strategy != "Webhook":
        if asked is not None:
            found.append(rules.forbidden(f"{path}.webhookClientConfig", "should not be set when strategy is not set to Webhook"))
        return found
    config, versions = (asked or {}).get("clientConfig"), (asked or {}).get("conversionReviewVersions") or []
    if config is None:
        found.append(rules.required(f"{path}.webhookClientConfig", "required when strategy is set to Webhook"))
    else:
        found += webhook.validate(config, f"{path}.webhookClientConfig")
    path = f"{path}.conversionReviewVersions"
    if not versions:
        found.append(rules.required(path))
    elif not set(versions) & set(REVIEWS):
        found.append(rules.invalid(path, versions, f"must include at least one of {', '.join(REVIEWS)}"))
    found += [rules.invalid(f"{path}[{i}]", one, "duplicate version") for i, one in enumerate(versions) if one in versions[:i]]
    return found


def _stored_versions(spec: Document, stored: list[str]) -> list[FieldCause]:
    """A version in which objects may still stand stays."""
    names = [version.get("name") for version in spec.get("versions") or ()]
    return [
        rules.invalid(f"status.storedVersions[{index}]", name, "must appear in spec.versions")
        for index, name in enumerate(stored) if name not in names
    ]  # fmt: skip


def _names(new: Document, spec: Document) -> list[FieldCause]:
    names, group = spec.get("names") or {}, spec.get("group", "")
    found = rules.subdomain_name("spec.group", group)
    if len(group.split(".")) < 2:
        found.append(rules.invalid("spec.group", group, "should be a domain with at least one dot"))
    found += rules.one_of("spec.scope", spec.get("scope"), ("Cluster", "Namespaced"))
    for field in ("plural", "singular"):
        found += rules.service_name(f"spec.names.{field}", names.get(field, ""))
    for field in ("kind", "listKind"):
        found += rules.service_name(f"spec.names.{field}", names.get(field, "").lower())
    for field in ("shortNames", "categories"):
        for index, word in enumerate(names.get(field) or ()):
            found += rules.service_name(f"spec.names.{field}[{index}]", word)
    if names.get("kind") and names.get("kind") == names.get("listKind"):
        found.append(rules.invalid("spec.names.listKind", names["listKind"], "kind and listKind may not be the same"))
    wanted, name = f"{names.get('plural', '')}.{group}", new["metadata"].get("name", "")
    if name != wanted:
        found.append(rules.invalid("metadata.name", name, f'must be spec.names.plural+"."+spec.group: {wanted}'))
    return found


def _versions(spec: Document) -> list[FieldCause]:
    versions: list[Any] = spec.get("versions") or []
    found: list[FieldCause] = []
    seen: set[str] = set()
    for index, version in enumerate(versions):
        path, name = f"spec.versions[{index}]", version.get("name", "")
        found += rules.service_name(f"{path}.name", name)
        if name in seen:
            found.append(rules.duplicate(f"{path}.name", name))
        seen.add(name)
        found += _version(version, path)
    if sum(bool(version.get("storage")) for version in versions) != 1:
        shown = [version.get("name") for version in versions]
        found.append(rules.invalid("spec.versions", shown, "must have exactly one version marked as storage version"))
    return found


def _version(version: Document, path: str) -> list[FieldCause]:
    schema = (version.get("schema") or {}).get("openAPIV3Schema")
    if schema is None:
        return [rules.required(f"{path}.schema.openAPIV3Schema", "schemas are required")]
    found = structural.check(schema, f"{path}.schema.openAPIV3Schema")
    for index, column in enumerate(version.get("additionalPrinterColumns") or ()):
        where = f"{path}.additionalPrinterColumns[{index}]"
        if not column.get("name"):
            found.append(rules.required(f"{where}.name"))
        found += rules.one_of(f"{where}.type", column.get("type"), COLUMN_TYPES)
        found += _readable(f"{where}.jsonPath", column.get("jsonPath", ""))
    if scale := (version.get("subresources") or {}).get("scale"):
        for field, head in (("specReplicasPath", ".spec."), ("statusReplicasPath", ".status.")):
            text = scale.get(field, "")
            if not text.startswith(head):
                found.append(rules.invalid(f"{path}.subresources.scale.{field}", text, f"should be a json path under {head[:-1]}"))
            found += _readable(f"{path}.subresources.scale.{field}", text)
    for index, field_ in enumerate(version.get("selectableFields") or ()):
        found += _readable(f"{path}.selectableFields[{index}].jsonPath", field_.get("jsonPath", ""))
    return found


def _readable(path: str, text: str) -> list[FieldCause]:
    try:
        jsonpath.compiled(text)
    except ValueError as error:
        return [rules.invalid(path, text, str(error))]
    return []
