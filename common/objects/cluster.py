"""Namespace, Event, PriorityClass and RuntimeClass, as the controllers, the event recorder and admission read them."""

from __future__ import annotations

from common.objects import meta


class NamespaceSpec(meta.View):
    finalizers: tuple[str, ...] = ()


class NamespaceStatus(meta.View):
    phase: str = "Active"
    conditions: tuple[meta.Condition, ...] = ()


class Namespace(meta.View):
    metadata: meta.Meta
    spec: NamespaceSpec = NamespaceSpec()
    status: NamespaceStatus = NamespaceStatus()


class Event(meta.View):
    metadata: meta.Meta
    involved_object: meta.ObjectReference = meta.ObjectReference()
    reason: str = ""
    message: str = ""
    type: str = "Normal"
    count: int = 1
    first_timestamp: str | None = None
    last_timestamp: str | None = None


class PriorityClass(meta.View):
    metadata: meta.Meta
    value: int = 0
    global_default: bool = False
    preemption_policy: str = "PreemptLowerPriority"


class RuntimeScheduling(meta.View):
    node_selector: dict[str, str] = {}
    tolerations: tuple[dict, ...] = ()


class RuntimeOverhead(meta.View):
    """Quantities as text."""

    pod_fixed: dict[str, str | int | float] = {}


class RuntimeClass(meta.View):
    """handler: what a node's container runtime calls it. overhead: what each of its pods needs beside its containers."""

    metadata: meta.Meta
    handler: str = ""
    overhead: RuntimeOverhead | None = None
    scheduling: RuntimeScheduling | None = None
