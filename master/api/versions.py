"""One object in several versions: it is stored in one form, and served in others by conversion.

A resource that names another as `stored` has no objects of its own: it shows those, converted. Its key is what the rest of the API
and the fronts know it by; its store keys, its defaults, rules and writers are those of the stored one. So a version costs a line in the
registry and two pure functions, and nothing that follows the store (views, controllers, history) ever sees it.
"""

from __future__ import annotations

import msgspec

from master.api import documents
from master.api.contract import Document, Page, Ref, Stored, WatchEvent
from master.api.registry import Resource


def home(resource: Resource, ref: Ref) -> Ref:
    """Where the object stands."""
    return Ref(resource.stored, ref.name, ref.namespace) if resource.stored else ref


def to_stored(resource: Resource, document: Document) -> Document:
    return document if resource.to_stored is None else resource.to_stored(document)


def to_served(resource: Resource, document: Document) -> Document:
    return document if resource.from_stored is None else resource.from_stored(document)


def served(resource: Resource, stored: Stored) -> Stored:
    """What a client of this version reads."""
    if resource.from_stored is None:
        return stored
    return Stored(documents.encode(resource.from_stored(documents.decode(stored.value))), stored.revision)


def served_page(resource: Resource, page: Page) -> Page:
    if resource.from_stored is None:
        return page
    return msgspec.structs.replace(page, items=[served(resource, stored) for stored in page.items])


def served_event(resource: Resource, event: WatchEvent) -> WatchEvent:
    return event if event.stored is None else msgspec.structs.replace(event, stored=served(resource, event.stored))
