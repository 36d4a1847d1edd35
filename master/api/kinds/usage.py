"""NodeMetrics and PodMetrics: how they look. What they say is `master/api/usage.py`'s.

The package with Kubernetes' definitions has none of these, because in Kubernetes another server serves them: their schemas are here.
"""

from __future__ import annotations

from typing import Any

from common.objects import quantity
from master.api.contract import Document
from master.api.kinds.columns import NAME, Column

_QUANTITIES: dict[str, Any] = {
    "type": "object", "additionalProperties": {"$ref": "io.k8s.apimachinery.pkg.api.resource.Quantity"},
    "description": "What was used: cpu, in cores, over the window; memory, the working set in bytes, at its end.",
}  # fmt: skip
_WHEN: dict[str, Any] = {
    "timestamp": {"$ref": "io.k8s.apimachinery.pkg.apis.meta.v1.Time", "description": "When the window ended."},
    "window": {"type": "string", "description": "How long was measured, as a duration: 15s."},
}
NODE_SCHEMA: Document = {
    "type": "object", "description": "NodeMetrics sets resource usage metrics of a node.", "required": ["timestamp", "window", "usage"],
    "properties": {**_WHEN, "usage": _QUANTITIES},
}  # fmt: skip
POD_SCHEMA: Document = {
    "type": "object", "description": "PodMetrics sets resource usage metrics of a pod.", "required": ["timestamp", "window", "containers"],
    "properties": {
        **_WHEN,
        "containers": {
            "type": "array", "description": "What each of its containers used.",
            "items": {"type": "object", "required": ["name", "usage"], "properties": {"name": {"type": "string"}, "usage": _QUANTITIES}},
        },
    },
}  # fmt: skip


def _of_node(resource: str) -> Column:
    return Column(resource, lambda document, now: (document.get("usage") or {}).get(resource, ""), description=f"Its use of {resource}.")


def _of_pod(resource: str, sum_of: Any) -> Column:
    def cell(document: Document, now: float) -> str:
        return sum_of([container["usage"][resource] for container in document.get("containers") or ()])

    return Column(resource, cell, description=f"Its containers' use of {resource}, together.")


def _cpu(used: list[str]) -> str:
    return quantity.nano_text(int(sum(quantity.exact(text) for text in used) * 10**9))


def _memory(used: list[str]) -> str:
    return quantity.kibibytes_text(sum(quantity.value(text) for text in used))


_WINDOW = Column("Window", lambda document, now: document.get("window", ""), description="How long was measured.")
NODE_COLUMNS = (NAME, _of_node("cpu"), _of_node("memory"), _WINDOW)
POD_COLUMNS = (NAME, _of_pod("cpu", _cpu), _of_pod("memory", _memory), _WINDOW)
