"""APIService: a group and version, of this server or of another one, to which requests are not passed on."""

from __future__ import annotations

from common.errors import FieldCause
from master.api.contract import Document
from master.api.kinds import rules
from master.api.kinds.columns import AGE, NAME, Column, at


def _service(document: Document, now: float) -> str:
    of = at(document, "spec.service")
    return f"{of.get('namespace', '')}/{of.get('name', '')}" if of else "Local"


def _available(document: Document, now: float) -> str:
    for condition in at(document, "status.conditions") or ():
        if condition.get("type") == "Available":
            reason = condition.get("reason", "")
            return "True" if condition.get("status") == "True" else f"{condition.get('status')} ({reason})"
    return "Unknown"


COLUMNS = (
    NAME,
    Column("Service", _service, description="Who serves it."),
    Column("Available", _available, description="Whether it can be reached."),
    AGE,
)


def prepare(new: Document, old: Document | None) -> None:
    if old is None:
        new["status"] = {}


def default(document: Document) -> None:
    service = at(document, "spec.service")
    if service is not None:
        service.setdefault("port", 443)


def validate(new: Document, old: Document | None) -> list[FieldCause]:
    spec, found, name = new.get("spec") or {}, rules.metadata(new), new["metadata"].get("name", "")
    group, version = spec.get("group", ""), spec.get("version", "")
    wanted = f"{version}.{group}"
    if name != wanted:
        found.append(rules.invalid("metadata.name", name, f'must be `spec.version+"."+spec.group`: "{wanted}"'))
    if group:
        found += rules.subdomain_name("spec.group", group)
    elif version != "v1":
        found.append(rules.required("spec.group", "only v1 may have an empty group"))
    found += rules.service_name("spec.version", version)
    for field, highest in (("groupPriorityMinimum", 20000), ("versionPriority", 1000)):
        value = spec.get(field, 0)
        if not 0 < value <= highest:
            found.append(rules.invalid(f"spec.{field}", value, f"must be positive and less than {highest}"))
    service = spec.get("service")
    if service is not None:
        found += [rules.required(f"spec.service.{field}") for field in ("namespace", "name") if not service.get(field)]
        if spec.get("insecureSkipTLSVerify") and spec.get("caBundle"):
            found.append(rules.invalid("spec.insecureSkipTLSVerify", True, "may not be true if caBundle is present"))
    elif spec.get("caBundle"):
        found.append(rules.invalid("spec.caBundle", "", "local APIServices may not have a caBundle"))
    return found
