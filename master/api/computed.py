"""Resources whose objects are not stored but worked out when somebody asks: what hosts use, how the master's parts are.

Owns the port, and their way into a list. They can be read and selected like others; no watch follows them, as in Kubernetes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from master.api import documents
from master.api.contract import Document, Page, Ref, Selection, Stored, Views
from master.api.registry import Resource
from master.api.selection import Filter


class Computed(Protocol):
    """Plain calls, from memory. Documents have apiVersion, kind, and metadata with at least a name."""

    def get(self, views: Views, ref: Ref) -> Document | None: ...

    def list(self, views: Views, namespace: str) -> Iterable[Document]:
        """Of one namespace, or "" for all; ordered by namespace and name."""


def stored(document: Document) -> Stored:
    """As other objects are read. Without a resourceVersion: it has none."""
    return Stored(documents.encode(document), 0)


def page(found: Iterable[Document], resource: Resource, selection: Selection, *, revision: int) -> Page:
    chosen, items = Filter(resource, selection), []
    for document in found:
        item, metadata = stored(document), document["metadata"]
        if chosen.matches(f"{resource.key}/{metadata.get('namespace', '')}/{metadata['name']}", item.value):
            items.append(item)
    return Page(items, revision)
