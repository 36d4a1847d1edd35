"""Manifests that several end-to-end tests write: plain dictionaries, and their text as kubectl reads it on stdin."""

from __future__ import annotations

import json
from typing import Any

Document = dict[str, Any]


def text(*documents: Document) -> str:
    """Several as one List: every kubectl reads it, while a stream of JSON documents is not for all of them."""
    return json.dumps(documents[0] if len(documents) == 1 else {"kind": "List", "apiVersion": "v1", "items": documents})


def config(name: str, *, labels: dict[str, str] | None = None, **data: str) -> Document:
    return {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": name, **({"labels": labels} if labels else {})}, "data": data}


def pod(name: str, *, labels: dict[str, str] | None = None, **spec: Any) -> Document:
    containers = [{"name": "main", "image": "busybox:1.36", "command": ["sleep", "3600"]}]
    return {
        "kind": "Pod", "apiVersion": "v1", "metadata": {"name": name, "labels": labels or {}},
        "spec": {"terminationGracePeriodSeconds": 1, "containers": containers, **spec},
    }  # fmt: skip


def deployment(name: str, replicas: int = 1, *, containers: list[Document] | None = None, **metadata: Any) -> Document:
    containers = containers or [{"name": "main", "image": "busybox:1.36", "command": ["sleep", "3600"]}]
    template = {"metadata": {"labels": {"app": name}}, "spec": {"terminationGracePeriodSeconds": 1, "containers": containers}}
    return {
        "kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"name": name, **metadata},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template},
    }  # fmt: skip
