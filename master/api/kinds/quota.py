"""ResourceQuota and LimitRange: how much a namespace may have, and each object in it. Stored and served; nothing enforces them yet."""

from __future__ import annotations

from common.errors import FieldCause
from common.objects import quantity, selectors
from master.api.contract import Document
from master.api.kinds import rules
from master.api.kinds.columns import AGE, NAME, PLAIN, Column, at

SCOPES = (
    "BestEffort", "CrossNamespacePodAffinity", "NotBestEffort", "NotTerminating", "PriorityClass", "Terminating", "VolumeAttributesClass",
)  # fmt: skip
STANDARD = frozenset((
    "cpu", "memory", "ephemeral-storage", "storage", "pods", "services", "replicationcontrollers", "resourcequotas", "secrets",
    "configmaps", "persistentvolumeclaims", "services.nodeports",
    "services.loadbalancers", "requests.cpu", "requests.memory", "requests.storage",
    "requests.ephemeral-storage", "limits.cpu", "limits.memory", "limits.ephemeral-storage",
))  # fmt: skip
LIMIT_TYPES = ("Container", "PersistentVolumeClaim", "Pod")
ORDER = ("min", "defaultRequest", "default", "max")
"""No amount may be above one that comes later."""


def _amounts(*, limits: bool) -> Column:
    def cell(document: Document, now: float) -> str:
        hard, used = at(document, "status.hard") or {}, at(document, "status.used") or {}
        names = [name for name in sorted(hard) if name.startswith("limits.") == limits]
        return ", ".join(f"{name}: {used.get(name, 0)}/{hard[name]}" for name in names)

    text = "What its containers may use at most, of how much." if limits else "What is asked for, of how much."
    return Column("Limit" if limits else "Request", cell, description=text)


COLUMNS = (NAME, _amounts(limits=False), _amounts(limits=True), AGE)
LIMIT_RANGE_COLUMNS = PLAIN


def prepare(new: Document, old: Document | None) -> None:
    if old is None:
        new["status"] = {}


def _known(name: str) -> bool:
    return name in STANDARD or name.startswith(("count/", "hugepages-", "requests.hugepages-")) or "/" in name


def validate(new: Document, old: Document | None) -> list[FieldCause]:
    spec, found = new.get("spec") or {}, rules.metadata(new)
    for name, amount in (spec.get("hard") or {}).items():
        place = f"spec.hard[{name}]"
        if not selectors.valid_key(name.rpartition("/")[2]):
            found.append(rules.invalid(place, name, rules.QUALIFIED_TEXT))
        elif not _known(name):
            found.append(rules.invalid(place, name, "must be a standard resource for quota"))
        found += rules.quantity_at_least_0(place, amount)
    for scope in spec.get("scopes") or ():
        if scope not in SCOPES:
            found.append(rules.invalid("spec.scopes", spec["scopes"], "unsupported scope"))
    for expression in at(spec, "scopeSelector.matchExpressions") or ():
        if expression.get("scopeName") not in SCOPES:
            place = "spec.scopeSelector.matchExpressions.scopeName"
            found.append(rules.invalid(place, expression.get("scopeName"), "unsupported scope"))
    if old is not None:
        found += rules.immutable("spec.scopes", spec.get("scopes"), at(old, "spec.scopes"))
    return found


def default_limit_range(document: Document) -> None:
    for limit in at(document, "spec.limits") or ():
        if limit.get("type") != "Container":
            continue
        default = limit.get("default") or {}
        for name, amount in (limit.get("max") or {}).items():
            default.setdefault(name, amount)
        requests = limit.get("defaultRequest") or {}
        for source in (default, limit.get("min") or {}):
            for name, amount in source.items():
                requests.setdefault(name, amount)
        for field, amounts in (("default", default), ("defaultRequest", requests)):
            if amounts:
                limit[field] = amounts


def validate_limit_range(new: Document, old: Document | None) -> list[FieldCause]:
    found = rules.metadata(new)
    types: set[str] = set()
    for i, limit in enumerate(at(new, "spec.limits") or ()):
        place, kind = f"spec.limits[{i}]", limit.get("type", "")
        if kind not in LIMIT_TYPES and "/" not in kind:
            found.append(rules.unsupported(f"{place}.type", kind, LIMIT_TYPES))
        if kind in types:
            found.append(rules.duplicate(f"{place}.type", kind))
        types.add(kind)
        if kind == "Pod":
            why = "may not be specified when `type` is 'Pod'"
            found += [rules.forbidden(f"{place}.{field}", why) for field in ("default", "defaultRequest") if limit.get(field)]
        if kind == "PersistentVolumeClaim" and not at(limit, "min.storage") and not at(limit, "max.storage"):
            found.append(rules.required(f"{place}.limits", "either minimum or maximum storage value is required, but neither was provided"))
        found += _ordered(limit, place)
    return found


def _ordered(limit: Document, place: str) -> list[FieldCause]:
    found: list[FieldCause] = []
    words = {"min": "min", "defaultRequest": "default request", "default": "default", "max": "max"}
    names = sorted({name for field in ORDER for name in limit.get(field) or ()})
    for name in names:
        given = [(field, limit[field][name]) for field in ORDER if name in (limit.get(field) or {})]
        for (lower, low), (upper, high) in zip(given, given[1:], strict=False):
            if quantity.exact(low) > quantity.exact(high):
                why = f"{words[lower]} value {low} is greater than {words[upper]} value {high}"
                found.append(rules.invalid(f"{place}.{lower}[{name}]", str(low), why))
    return found
