"""Node: columns, validation of taints, field selectors.

A Node is made by dispatch when a host joins; users change labels, annotations, taints and `spec.unschedulable`.
"""

from __future__ import annotations

from common.errors import FieldCause
from common.objects import selectors
from master.api.contract import Document
from master.api.kinds import rules
from master.api.kinds.columns import AGE, NAME, Column

ROLE_PREFIX = "node-role.kubernetes.io/"


def status_text(document: Document) -> str:
    """`Ready`, `NotReady`, `Unknown`, with `,SchedulingDisabled` when cordoned."""
    ready = next((c for c in document.get("status", {}).get("conditions") or [] if c.get("type") == "Ready"), None)
    words = "Unknown" if ready is None else "Ready" if ready.get("status") == "True" else "NotReady"
    return words + (",SchedulingDisabled" if document.get("spec", {}).get("unschedulable") else "")


def roles_text(document: Document) -> str:
    labels = document["metadata"].get("labels") or {}
    roles = {key[len(ROLE_PREFIX) :] for key in labels if key.startswith(ROLE_PREFIX)}
    if labels.get("kubernetes.io/role"):
        roles.add(labels["kubernetes.io/role"])
    return ",".join(sorted(roles)) or "<none>"


def _address(document: Document, kind: str) -> str:
    addresses = document.get("status", {}).get("addresses") or []
    return next((a["address"] for a in addresses if a.get("type") == kind), "<none>")


def _info(document: Document, field: str) -> str:
    return document.get("status", {}).get("nodeInfo", {}).get(field) or "<unknown>"


COLUMNS = (
    NAME,
    Column("Status", lambda d, now: status_text(d), description="Whether the node is ready, and takes new pods."),
    Column("Roles", lambda d, now: roles_text(d), description="The roles of the node."),
    AGE,
    Column("Version", lambda d, now: d.get("status", {}).get("nodeInfo", {}).get("kubeletVersion", ""),
           description="The agent's version."),
    Column("Internal-IP", lambda d, now: _address(d, "InternalIP"), priority=1, description="Address inside the cluster."),
    Column("External-IP", lambda d, now: _address(d, "ExternalIP"), priority=1, description="Address from outside."),
    Column("OS-Image", lambda d, now: _info(d, "osImage"), priority=1, description="Operating system."),
    Column("Kernel-Version", lambda d, now: _info(d, "kernelVersion"), priority=1, description="Kernel."),
    Column("Container-Runtime", lambda d, now: _info(d, "containerRuntimeVersion"), priority=1,
           description="Container runtime and its version."),
)  # fmt: skip


def default(document: Document) -> None:
    """What pods may use is all there is, unless the node says less."""
    status = document.get("status") or {}
    if status.get("capacity") and status.get("allocatable") is None:
        status["allocatable"] = dict(status["capacity"])


def validate(new: Document, old: Document | None) -> list[FieldCause]:
    found = rules.metadata(new)
    seen = set()
    for i, taint in enumerate(new.get("spec", {}).get("taints") or []):
        field = f"spec.taints[{i}]"
        if not selectors.valid_key(taint.get("key", "")):
            found.append(rules.invalid(f"{field}.key", taint.get("key", ""), rules.QUALIFIED_TEXT))
        if not selectors.valid_value(taint.get("value", "")):
            found.append(rules.invalid(f"{field}.value", taint["value"], rules.LABEL_VALUE_TEXT))
        found += rules.one_of(f"{field}.effect", taint.get("effect", ""), ("NoSchedule", "PreferNoSchedule", "NoExecute"))
        if (pair := (taint.get("key"), taint.get("effect"))) in seen:
            found.append(FieldCause("FieldValueDuplicate", f"Duplicate value: {rules.shown(taint)}: taints must be unique by key "
                                    "and effect pair", field))  # fmt: skip
        seen.add(pair)
    cidr = (old or {}).get("spec", {}).get("podCIDR")
    if cidr and new.get("spec", {}).get("podCIDR") != cidr:
        found.append(rules.forbidden("spec.podCIDR", "node updates may not change podCIDR except from \"\" to valid"))
    return found


def fields(document: Document) -> dict[str, str]:
    return {"spec.unschedulable": "true" if document.get("spec", {}).get("unschedulable") else "false"}
