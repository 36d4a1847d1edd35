"""StatefulSet: pods with names and volumes of their own, in order. Defaults, validation, columns."""

from __future__ import annotations

from common.errors import FieldCause
from master.api.contract import Document
from master.api.kinds import claim, replicaset, rules
from master.api.kinds.columns import AGE, NAME, Column, at, template_columns

MUTABLE = (
    "replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit", "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
)  # fmt: skip
UPDATE_FORBIDDEN = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
    "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)


def _ready(document: Document, now: float) -> str:
    return f"{at(document, 'status.readyReplicas') or 0}/{at(document, 'spec.replicas') or 0}"


COLUMNS = (
    NAME,
    Column("Ready", _ready, description="How many pods are ready, of how many wanted."),
    AGE,
    *template_columns()[:2],
)


def prepare(new: Document, old: Document | None) -> None:
    if old is None:
        new["status"] = {"replicas": 0, "availableReplicas": 0}


def default(document: Document) -> None:
    spec = document.setdefault("spec", {})
    spec.setdefault("podManagementPolicy", "OrderedReady")
    strategy = spec.setdefault("updateStrategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        strategy.setdefault("rollingUpdate", {}).setdefault("partition", 0)
    retention = spec.setdefault("persistentVolumeClaimRetentionPolicy", {})
    retention.setdefault("whenDeleted", "Retain")
    retention.setdefault("whenScaled", "Retain")
    spec.setdefault("replicas", 1)
    spec.setdefault("revisionHistoryLimit", 10)
    replicaset.default_template(spec)
    for template in spec.get("volumeClaimTemplates") or ():
        template["kind"], template["apiVersion"] = "PersistentVolumeClaim", "v1"
        claim.default(template)


def _with_claims(document: Document) -> Document:
    """The document with its claims as volumes of its template, since its containers may mount them."""
    spec = document.get("spec") or {}
    template, claims = spec.get("template"), spec.get("volumeClaimTemplates")
    if not template or not claims:
        return document
    volumes = [{"name": (each.get("metadata") or {}).get("name", ""), "emptyDir": {}} for each in claims]
    pods = template.get("spec") or {}
    own = [volume for volume in pods.get("volumes") or () if volume.get("name") not in [v["name"] for v in volumes]]
    return {**document, "spec": {**spec, "template": {**template, "spec": {**pods, "volumes": own + volumes}}}}


def validate(new: Document, old: Document | None) -> list[FieldCause]:
    spec = new.get("spec", {})
    before = None if old is None else _with_claims({**old, "spec": {**old["spec"], "selector": spec.get("selector")}})
    found = replicaset.validate_workload(_with_claims(new), before, kind="statefulset")
    found += rules.one_of("spec.podManagementPolicy", spec.get("podManagementPolicy"), ("OrderedReady", "Parallel"))
    found += rules.not_negative("spec.revisionHistoryLimit", spec.get("revisionHistoryLimit"))
    found += rules.not_negative("spec.ordinals.start", at(spec, "ordinals.start"))
    strategy = spec.get("updateStrategy") or {}
    found += rules.one_of("spec.updateStrategy.type", strategy.get("type"), ("OnDelete", "RollingUpdate"))
    if strategy.get("type") == "OnDelete" and strategy.get("rollingUpdate") is not None:
        why = "only allowed for updateStrategy 'RollingUpdate'"
        found.append(rules.invalid("spec.updateStrategy.rollingUpdate", strategy["rollingUpdate"], why))
    found += rules.not_negative("spec.updateStrategy.rollingUpdate.partition", at(strategy, "rollingUpdate.partition"))
    for name, value in (spec.get("persistentVolumeClaimRetentionPolicy") or {}).items():
        found += rules.one_of(f"spec.persistentVolumeClaimRetentionPolicy.{name}", value, ("Delete", "Retain"))
    if old is not None:
        fixed = [{k: v for k, v in each["spec"].items() if k not in MUTABLE} for each in (new, old)]
        if fixed[0] != fixed[1]:
            found.append(rules.forbidden("spec", UPDATE_FORBIDDEN))
    return found
