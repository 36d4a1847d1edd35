"""Namespace, Event and PriorityClass, as the controllers, the event recorder and admission read them."""

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
