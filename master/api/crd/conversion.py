"""The versions of a custom resource: how an object gets from one into another.

Objects are stored in the version that was the storage version when they were written, and say so (`apiVersion`). Whatever else is asked
for is converted: by a new name alone (strategy None), or by the definition's webhook (strategy Webhook), which is asked once for all the
objects of a page, an event batch or a write. The pure half is here too: what a ConversionReview says, and what an answer must hold.

    objects ─► review ─► webhook (api/webhooks.py) ─► converted ─► restored: its metadata is the object's own but for labels and annotations

Subtle: a webhook converts what stands, nothing more. Were it allowed to change uid, finalizers or owners, deleting would depend on it.
Texts are those of Kubernetes' apiextensions server.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import msgspec

from common.clock import Rng
from common.errors import BadRequest, TooLarge
from common.objects.customresource import CustomResourceDefinition, WebhookConversion
from master.api import body
from master.api.contract import Document, Views
from master.api.crd import nodes, values
from master.api.kinds import rules
from master.api.kinds.customresource import REVIEWS
from master.api.schema import Node
from master.api.webhooks import Caller, WebhookFault, target_of

GROUP = "apiextensions.k8s.io"
BATCH, BATCH_BYTES = 500, 8 * 1024 * 1024
"""Objects, and about so many bytes, of one question."""
MAX_COLLECTIONS = 10 * body.MAX_COLLECTIONS
"""Objects and lists in an answer, which holds many documents."""
FROM_THE_WEBHOOK = {"labels": rules.labels, "annotations": rules.annotations}


class Asking(msgspec.Struct, frozen=True):
    """What asking a webhook takes. caller None: this master asks nobody."""

    views: Views
    rng: Rng
    caller: Caller | None = None


class Conversion:
    """`registry.Conversion` of one definition; shared by the resources of all its versions."""

    def __init__(self, definition: CustomResourceDefinition, asking: Asking) -> None:
        spec = definition.spec
        self.stored = f"{spec.group}/{definition.storage.name}"
        self._kind = spec.names.kind
        self._asking = asking
        self._webhook = spec.conversion.webhook if spec.conversion.strategy == "Webhook" else None
        self.asks = self._webhook is not None
        self._schemas = {f"{spec.group}/{version.name}": version.schema.open_api_v3_schema for version in spec.versions}
        self._nodes: dict[str, Node] = {}

    def node(self, api_version: str) -> Node | None:
        if api_version in self._schemas and api_version not in self._nodes:
            self._nodes[api_version] = nodes.compiled(self._schemas[api_version])
        return self._nodes.get(api_version)

    def at_once(self, document: Document, api_version: str) -> Document | None:
        if document["apiVersion"] == api_version:
            return document
        return {**document, "apiVersion": api_version} if self._webhook is None else None

    async def into(self, documents: list[Document], api_version: str) -> list[Document]:
        found = [self.at_once(document, api_version) for document in documents]
        waiting = [document for document, done in zip(documents, found, strict=True) if done is None]
        converted: list[Document] = []
        for batch in _batches(waiting):
            converted += await self._ask(batch, api_version)
        answers = iter(converted)
        return [next(answers) if done is None else done for done in found]

    async def _ask(self, batch: list[Document], api_version: str) -> list[Document]:
        asking, webhook, subject = self._asking, self._webhook, f"{batch[0]['apiVersion']}, Kind={self._kind}"
        assert webhook is not None, "without one everything is converted at once"
        try:
            if asking.caller is None:
                raise WebhookFault("this master asks no webhooks")
            uid, version = asking.rng.uuid(), _review_version(webhook)
            target = target_of(asking.views, webhook.client_config)
            answer = await asking.caller.post(target, review(batch, api_version, uid=uid, version=version))
            converted = answered(answer, uid=uid, version=version)
        except WebhookFault as fault:
            raise WebhookFault(f"conversion webhook for {subject} failed: {fault.message}") from None
        if len(converted) != len(batch):
            raise WebhookFault(f"conversion webhook for {subject} returned {len(converted)} objects, expected {len(batch)}")
        for index, (original, one) in enumerate(zip(batch, converted, strict=True)):
            try:
                restore(original, one, api_version)
            except WebhookFault as fault:
                said = f"returned invalid converted object at index {index}: {fault.message}"
                raise WebhookFault(f"conversion webhook for {subject} {said}") from None
            values.prune(one, self._schemas[api_version])
        return converted


def _batches(waiting: list[Document]) -> Iterator[list[Document]]:
    batch: list[Document] = []
    size = 0
    for document in waiting:
        bytes_ = len(msgspec.json.encode(document))
        if batch and (len(batch) == BATCH or size + bytes_ > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(document)
        size += bytes_
    if batch:
        yield batch


def _review_version(webhook: WebhookConversion) -> str:
    for version in webhook.conversion_review_versions:
        if version in REVIEWS:
            return version
    raise WebhookFault("no supported conversion review versions")


def review(objects: list[Document], api_version: str, *, uid: str, version: str) -> bytes:
    """The question."""
    request = {"uid": uid, "desiredAPIVersion": api_version, "objects": objects}
    return msgspec.json.encode({"kind": "ConversionReview", "apiVersion": f"{GROUP}/{version}", "request": request})


def answered(answer: bytes, *, uid: str, version: str) -> list[Any]:
    """The objects that an answer holds. Raises WebhookFault."""
    try:
        found = body.decode(answer, "application/json", max_bytes=len(answer), max_collections=MAX_COLLECTIONS).document
    except (BadRequest, TooLarge) as error:
        raise WebhookFault(f"the answer cannot be read: {error.message}") from None
    found = found if isinstance(found, dict) else {}
    if version == "v1":
        wanted, got = f"{GROUP}/v1, Kind=ConversionReview", f"{found.get('apiVersion', '')}, Kind={found.get('kind', '')}"
        if got != wanted:
            raise WebhookFault(f"expected webhook response of {wanted}, got {got}")
    response = found.get("response")
    if not isinstance(response, dict):
        raise WebhookFault("no response provided")
    if version == "v1" and response.get("uid") != uid:
        raise WebhookFault(f'expected response.uid="{uid}", got "{response.get("uid", "")}"')
    result = response.get("result")
    result = result if isinstance(result, dict) else {}
    if result.get("status") != "Success":
        why = f"response.result.status was '{result.get('status', '')}', not 'Success'"
        raise WebhookFault(str(result.get("message") or "") or why)
    objects = response.get("convertedObjects") or []
    if not isinstance(objects, list):
        raise WebhookFault("response.convertedObjects is not a list")
    return objects


def restore(original: Document, converted: Any, api_version: str) -> None:
    """In place: the original's metadata, with the labels and annotations of the converted one. Raises WebhookFault."""
    if not isinstance(converted, dict):
        raise WebhookFault("it is not an object")
    for field, word, wanted in (("apiVersion", "groupVersion", api_version), ("kind", "kind", original["kind"])):
        if converted.get(field) != wanted:
            raise WebhookFault(f"invalid {word} (expected {wanted}, received {converted.get(field)})")
    given, own = converted.get("metadata"), original["metadata"]
    if not isinstance(given, dict):
        raise WebhookFault("missing metadata in converted object")
    for field, word in (("name", "name"), ("namespace", "namespace"), ("uid", "UID")):
        if (given.get(field) or "") != (own.get(field) or ""):
            raise WebhookFault(f"must have the same {word}: {own.get(field, '')} != {given.get(field, '')}")
    kept = {key: value for key, value in copy.deepcopy(own).items() if key not in FROM_THE_WEBHOOK}
    for field, check in FROM_THE_WEBHOOK.items():
        if value := given.get(field):
            if problems := _not_texts(field, value) or [cause.message for cause in check(f"metadata.{field}", value)]:
                raise WebhookFault(problems[0])
            kept[field] = value
    converted["metadata"] = kept


def _not_texts(field: str, value: Any) -> list[str]:
    if not isinstance(value, dict):
        return [f"invalid metadata.{field} in converted object: it is not a map"]
    return [f"metadata.{field}[{key}] must be a string in converted object" for key, one in value.items() if not isinstance(one, str)]
