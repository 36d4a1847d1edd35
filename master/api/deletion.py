"""What a request to delete does to an object: the rules of grace, finalizers and propagation, and nothing else.

Pure. `decide` says whether the object goes at once, changes (it is marked and waits) or stays as it is; `complete` says
whether an object that was changed on its way out may go now.

    DELETE ──► nothing holds it ───────────────────────────────► removed
           └─► grace, finalizers ──► deletionTimestamp ──► last finalizer gone, grace over ──► removed

A pod's grace is over (`deletionGracePeriodSeconds` is 0) when dispatch confirmed that its containers are gone, when somebody
asked for it by force (grace 0), when it was never bound, or when it has finished. Subtle: therefore a bound, running pod
never gets a grace of 0 from its own spec (it gets 1 s), or it would vanish here while its containers run there.
"""

from __future__ import annotations

import msgspec

from common.clock import parse_rfc3339, rfc3339
from common.errors import FieldCause
from master.api.contract import DeleteOptions, Document
from master.api.kinds.rules import FOREGROUND, ORPHAN

POLICIES = ("Background", "Foreground", "Orphan")
DEFAULT_GRACE_S = 30


class Decision(msgspec.Struct, frozen=True):
    """removed: it goes at once. document: what it becomes instead; None when it stays as it is."""

    removed: bool = False
    document: Document | None = None


def option_causes(options: DeleteOptions) -> list[FieldCause]:
    if options.propagation is None or options.propagation in POLICIES:
        return []
    supported = ", ".join(f'"{policy}"' for policy in POLICIES)
    message = f'Unsupported value: "{options.propagation}": supported values: {supported}'
    return [FieldCause("FieldValueNotSupported", message, "propagationPolicy")]


def decide(resource: str, old: Document, options: DeleteOptions, *, now: float) -> Decision:
    """resource: the registry's key. now: wall-clock seconds."""
    meta = old["metadata"]
    finalizers = _finalizers(meta.get("finalizers") or [], options.propagation)
    grace_s = pod_grace_s(old, options) if resource == "pods" else 0
    if grace_s == 0 and not finalizers and not _content(resource, old):
        return Decision(removed=True)
    marked = dict(meta)
    marked.pop("finalizers", None)
    if finalizers:
        marked["finalizers"] = finalizers
    begun = now
    if "deletionTimestamp" in meta:
        begun = parse_rfc3339(meta["deletionTimestamp"]) - meta.get("deletionGracePeriodSeconds", 0)
    elif "generation" in meta:
        marked["generation"] = meta["generation"] + 1
    if "deletionTimestamp" not in meta or grace_s != meta.get("deletionGracePeriodSeconds", 0):
        marked["deletionTimestamp"] = rfc3339(begun + grace_s)
        marked["deletionGracePeriodSeconds"] = grace_s
    document = {**old, "metadata": marked}
    if resource == "namespaces":
        marked.pop("deletionGracePeriodSeconds", None)
        document["status"] = {**(old.get("status") or {}), "phase": "Terminating"}
    return Decision() if document == old else Decision(document=document)


def pod_grace_s(pod: Document, options: DeleteOptions) -> int:
    """How long this pod has from the beginning of its deletion; 0: nothing is left to wait for."""
    meta, spec = pod["metadata"], pod.get("spec", {})
    if options.confirmed or options.grace_s == 0 or not spec.get("nodeName"):
        return 0
    if "deletionTimestamp" in meta:
        standing = meta.get("deletionGracePeriodSeconds", 0)
        return standing if options.grace_s is None else min(standing, max(options.grace_s, 1))
    if pod.get("status", {}).get("phase") in ("Succeeded", "Failed"):
        return 0
    wanted = spec.get("terminationGracePeriodSeconds", DEFAULT_GRACE_S) if options.grace_s is None else options.grace_s
    return max(wanted, 1)


def complete(resource: str, document: Document) -> bool:
    """Nothing holds a marked object any more."""
    meta = document["metadata"]
    if not meta.get("deletionTimestamp") or meta.get("finalizers") or _content(resource, document):
        return False
    return resource != "pods" or meta.get("deletionGracePeriodSeconds", 0) == 0


def _content(resource: str, document: Document) -> bool:
    """A namespace waits until what is inside is gone, as its own kind of finalizers says."""
    return resource == "namespaces" and bool(document.get("spec", {}).get("finalizers"))


def _finalizers(standing: list[str], propagation: str | None) -> list[str]:
    """What the garbage collector is to do with dependents travels as a finalizer; without a word, what stands there counts."""
    if propagation is None:
        return list(standing)
    wanted = {"Foreground": [FOREGROUND], "Orphan": [ORPHAN]}.get(propagation, [])
    return [f for f in standing if f not in (FOREGROUND, ORPHAN) or f in wanted] + [f for f in wanted if f not in standing]
