"""One object in several versions: it is stored in one form, and served in others by conversion.

A resource that names another as `stored` has no objects of its own: it shows those, converted. Its key is what the rest of the API
and the fronts know it by; its store keys are those of the stored one. There are two kinds of them:

    built in     two pure functions (`to_stored`, `from_stored`); defaults, rules and writers are those of the stored one. So a version
                 costs a line in the registry and two functions, and nothing that follows the store ever sees it
    custom       a `conversion`, which may have to ask a webhook, so it is awaited; defaults and rules are those of the version that is
                 asked for, and each stored object says its own version

What has neither is passed on as it is, undecoded.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing

import msgspec

from master.api import documents
from master.api.contract import Document, Page, Ref, Stored, WatchEvent
from master.api.registry import Resource
from master.api.webhooks import WebhookFault


class _Versioned(msgspec.Struct, rename="camel"):
    api_version: str = ""


_versioned = msgspec.json.Decoder(_Versioned)


def home(resource: Resource, ref: Ref) -> Ref:
    """Where the object stands."""
    return Ref(resource.stored, ref.name, ref.namespace) if resource.stored else ref


def is_stored(resource: Resource) -> bool:
    """Everything of it is served as it is stored."""
    return resource.from_stored is None and resource.conversion is None


def to_stored(resource: Resource, document: Document) -> Document:
    return document if resource.to_stored is None else resource.to_stored(document)


def to_served(resource: Resource, document: Document) -> Document:
    return document if resource.from_stored is None else resource.from_stored(document)


def served_at_once(resource: Resource, stored: Stored) -> Stored:
    """What a client of this version reads. Raises WebhookFault where only a webhook could tell."""
    found = _at_once(resource, stored)
    if found is None:
        raise WebhookFault(f"this {resource.kind} becomes {resource.api_version} by a webhook, which cannot be waited for here")
    return found


def _at_once(resource: Resource, stored: Stored) -> Stored | None:
    if is_stored(resource):
        return stored
    if resource.conversion is None:
        return Stored(documents.encode(to_served(resource, documents.decode(stored.value))), stored.revision)
    value = stored.value
    if _versioned.decode(value).api_version == resource.api_version:
        return stored
    document = resource.conversion.at_once(documents.decode(value), resource.api_version)
    return None if document is None else Stored(documents.encode(document), stored.revision)


async def served(resource: Resource, stored: Stored) -> Stored:
    """What a client of this version reads. Raises WebhookFault."""
    return (await served_all(resource, [stored]))[0]


async def served_all(resource: Resource, items: list[Stored]) -> list[Stored]:
    """The same of many, in their order, with one question for all that have to be asked for."""
    if is_stored(resource):
        return items
    found = [_at_once(resource, stored) for stored in items]
    waiting = [stored for stored, done in zip(items, found, strict=True) if done is None]
    if not waiting or resource.conversion is None:
        return [one for one in found if one is not None]
    converted = await resource.conversion.into([documents.decode(stored.value) for stored in waiting], resource.api_version)
    answers = (Stored(documents.encode(document), stored.revision) for document, stored in zip(converted, waiting, strict=True))
    return [next(answers) if done is None else done for done in found]


async def served_page(resource: Resource, page: Page) -> Page:
    return page if is_stored(resource) else msgspec.structs.replace(page, items=await served_all(resource, page.items))


async def served_events(resource: Resource, events: AsyncIterator[Sequence[WatchEvent]]) -> AsyncIterator[Sequence[WatchEvent]]:
    async with aclosing(events) as batches:  # type: ignore[type-var]
        async for batch in batches:
            objects = iter(await served_all(resource, [event.stored for event in batch if event.stored is not None]))
            yield [event if event.stored is None else msgspec.structs.replace(event, stored=next(objects)) for event in batch]


# A custom resource's way through a write: in the version that is asked for, from and to what is stored.


async def opened(resource: Resource, document: Document) -> Document:
    """A stored document, in the version of the resource."""
    if resource.conversion is None:
        return document
    return (await resource.conversion.into([document], resource.api_version))[0]


async def closed(resource: Resource, document: Document) -> Document:
    """A document of the resource's version, as it is stored."""
    if resource.conversion is None:
        return document
    return (await resource.conversion.into([document], resource.conversion.stored))[0]
