"""Job: pods that run to their end. Its selector and its pods' labels are made from its uid, so that no two Jobs share pods."""

from __future__ import annotations

from common.clock import parse_rfc3339
from common.errors import FieldCause
from master.api.contract import Document
from master.api.kinds import replicaset, rules
from master.api.kinds.columns import AGE, NAME, Column, at, human_duration, template_columns

UID_LABEL, NAME_LABEL = "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name"
OLD_UID_LABEL, OLD_NAME_LABEL = "controller-uid", "job-name"
RESTARTS = ("OnFailure", "Never")
MAX_INT32 = 2**31 - 1
FIXED = ("selector", "completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy")


def _condition(document: Document, name: str) -> bool:
    conditions = at(document, "status.conditions") or ()
    return any(c.get("type") == name and c.get("status") == "True" for c in conditions)


def status_text(document: Document) -> str:
    """The STATUS column: the first of these that holds."""
    going = bool(document["metadata"].get("deletionTimestamp"))
    ended = next((name for name in ("Complete", "Failed") if _condition(document, name)), None)
    if ended or going:
        return ended or "Terminating"
    waiting = ("Suspended", "FailureTarget", "SuccessCriteriaMet")
    return next((name for name in waiting if _condition(document, name)), "Running")


def _completions(document: Document, now: float) -> str:
    done, wanted, parallel = at(document, "status.succeeded") or 0, at(document, "spec.completions"), at(document, "spec.parallelism") or 0
    if wanted is not None:
        return f"{done}/{wanted}"
    return f"{done}/1 of {parallel}" if parallel > 1 else f"{done}/1"


def _duration(document: Document, now: float) -> str:
    begun, ended = at(document, "status.startTime"), at(document, "status.completionTime")
    if not begun:
        return ""
    return human_duration((parse_rfc3339(ended) if ended else now) - parse_rfc3339(begun))


COLUMNS = (
    NAME,
    Column("Status", lambda d, now: status_text(d), description="How it stands."),
    Column("Completions", _completions, description="How many pods have succeeded, of how many wanted."),
    Column("Duration", _duration, description="How long it ran, or has run so far."),
    AGE,
    *template_columns(),
)


def prepare(new: Document, old: Document | None) -> None:
    if old is not None:
        return
    new["status"] = {}
    spec, meta = new.setdefault("spec", {}), new["metadata"]
    if spec.get("manualSelector"):
        return
    template = spec.setdefault("template", {}).setdefault("metadata", {})
    own = {UID_LABEL: meta["uid"], OLD_UID_LABEL: meta["uid"], NAME_LABEL: meta["name"], OLD_NAME_LABEL: meta["name"]}
    template["labels"] = {**(template.get("labels") or {}), **own}
    if spec.get("selector") is None:
        spec["selector"] = {"matchLabels": {UID_LABEL: meta["uid"]}}


def default_failure_policy(spec: Document) -> None:
    """The one default that a CronJob's template of Jobs has, too, beside those of its pods."""
    for rule in at(spec, "podFailurePolicy.rules") or ():
        for pattern in rule.get("onPodConditions") or ():
            pattern.setdefault("status", "True")


def default(document: Document) -> None:
    spec, meta = document.setdefault("spec", {}), document["metadata"]
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = 1
    spec.setdefault("parallelism", 1)
    spec.setdefault("backoffLimit", MAX_INT32 if spec.get("backoffLimitPerIndex") is not None else 6)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    spec.setdefault("podReplacementPolicy", "Failed" if spec.get("podFailurePolicy") is not None else "TerminatingOrFailed")
    default_failure_policy(spec)
    labels = at(spec, "template.metadata.labels")
    if labels and not meta.get("labels"):
        meta["labels"] = dict(labels)
    replicaset.default_template(spec)


def validate_spec(spec: Document, before: Document | None, place: str) -> list[FieldCause]:
    """What a Job and a CronJob's template of Jobs have in common."""
    found: list[FieldCause] = []
    for name in ("parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "backoffLimitPerIndex", "ttlSecondsAfterFinished"):
        found += rules.not_negative(f"{place}.{name}", spec.get(name))
    if (mode := spec.get("completionMode")) is not None:
        found += rules.one_of(f"{place}.completionMode", mode, ("Indexed", "NonIndexed"))
        if mode == "Indexed" and spec.get("completions") is None:
            found.append(rules.required(f"{place}.completions", "when completion mode is Indexed"))
    template = spec.get("template") or {}
    return found + replicaset.validate_template(template, (before or {}).get("template"), f"{place}.template", policies=RESTARTS)


def validate(new: Document, old: Document | None) -> list[FieldCause]:
    spec, before = new.get("spec", {}), (old or {}).get("spec")
    found = rules.metadata(new) + validate_spec(spec, before, "spec")
    selector = spec.get("selector")
    if selector is None:
        found.append(rules.required("spec.selector"))
    found += rules.label_selector("spec.selector", selector)
    labels = at(spec, "template.metadata.labels") or {}
    if selector and not (selector.get("matchLabels") or {}).items() <= labels.items():
        found.append(replicaset.other_labels(labels))
    if before is None:
        return found
    for name in FIXED:
        found += rules.immutable(f"spec.{name}", spec.get(name), before.get(name))
    indexed = spec.get("completionMode") == "Indexed" and spec.get("completions") == spec.get("parallelism")
    if not indexed:
        found += rules.immutable("spec.completions", spec.get("completions"), before.get("completions"))
    if not (before.get("suspend") and at(old or {}, "status.startTime") is None):
        found += rules.immutable("spec.template", spec.get("template"), before.get("template"))
    return found


def fields(document: Document) -> dict[str, str]:
    return {"status.successful": str(at(document, "status.succeeded") or 0)}
