"""`kctl describe`: all about objects: what they are, how they are, what happened to them, and why.

Owns what is fetched beside an object: its events, its newest cause, the pods of a node or a workload, the endpoints of a Service. What may
not be read is left out. The text is `describing.py`'s.
"""

from __future__ import annotations

from typing import Any

import click

from common.clock import SystemClock
from common.errors import Forbidden, NotFound
from ctl import describing, kinds, options
from ctl.client import Client, connected
from ctl.describing import Around
from ctl.describing_kinds import SECTIONS, WORKLOADS
from ctl.kinds import Kind, Target
from ctl.logs import selector_of
from ctl.objects import Objects, selection

Document = dict[str, Any]


@click.command()
@options.words
@options.selector
@click.option("-A", "--all-namespaces", "everywhere", is_flag=True, help="Of all namespaces.")
@options.namespaced
@connected
async def describe(client: Client, words: tuple[str, ...], selector: str, everywhere: bool, namespace: str) -> None:
    """Show all about objects: what they are, how they are, what happened to them.

    A name may be the beginning of several.
    """
    objects = Objects(client)
    where = "" if everywhere else options.here(namespace)
    first = True
    for target in (await kinds.load(client)).targets(words):
        for document in await _found(objects, target, where, selector):
            if not first:
                click.echo("\n")
            first = False
            around = await _around(client, objects, target.kind, document)
            click.echo(describing.describe(document, around, SECTIONS.get((target.kind.group, target.kind.kind))), nl=False)
    if first:
        click.echo("No resources found", err=True)


async def _found(objects: Objects, target: Target, namespace: str, labels: str) -> list[Document]:
    """That of the name; or else those whose names begin with it, as pods' do with their Deployment's."""
    kind = target.kind
    where = namespace if kind.namespaced else ""
    if target.name and (where or not kind.namespaced):
        try:
            return [_said(await objects.get(kind.resource, target.name, where), kind)]
        except NotFound as error:
            missing = error
    else:
        missing = NotFound(f'{kind.plural} "{target.name}" not found')
    listed = (await objects.list(kind.resource, where, query=selection(labels=labels)))["items"]
    found = [_said(each, kind) for each in listed if each["metadata"]["name"].startswith(target.name)]
    if not found and target.name:
        raise missing
    return found


def _said(document: Document, kind: Kind) -> Document:
    """With its kind, which members of lists may lack."""
    return {**document, "apiVersion": kind.api_version, "kind": kind.kind}


async def _around(client: Client, objects: Objects, kind: Kind, document: Document) -> Around:
    meta = document["metadata"]
    namespace = meta.get("namespace", "")
    about = f"involvedObject.name={meta['name']},involvedObject.kind={kind.kind}"
    if meta.get("uid") and kind.kind != "Node":
        about += f",involvedObject.uid={meta['uid']}"
    events = await _listed(objects, "events", namespace or "default", selection(fields=about))
    pods: list[Document] = []
    related: dict[str, list[Document]] = {}
    if (kind.group, kind.kind) == ("", "Node"):
        pods = await _listed(objects, "pods", "", selection(fields=f"spec.nodeName={meta['name']}"))
    elif kind.group == "apps" and kind.kind in WORKLOADS:
        owned = selector_of(document)
        pods = await _listed(objects, "pods", namespace, selection(labels=owned)) if owned else []
        if kind.kind == "Deployment" and owned:
            sets = await _listed(objects, "replicasets.v1.apps", namespace, selection(labels=owned))
            related["ReplicaSets"] = [each for each in sets if _owned(each, meta.get("uid"))]
    elif (kind.group, kind.kind) == ("", "Service"):
        labels = selection(labels=f"kubernetes.io/service-name={meta['name']}")
        related["EndpointSlices"] = await _listed(objects, "endpointslices.v1.discovery.k8s.io", namespace, labels)
    return Around(SystemClock().now(), events, await _why(client, kind, meta), pods=pods, related=related)


async def _listed(objects: Objects, resource: str, namespace: str, query: dict[str, str]) -> list[Document]:
    try:
        return (await objects.list(resource, namespace, query=query))["items"]
    except (Forbidden, NotFound):
        return []


def _owned(document: Document, uid: str | None) -> bool:
    return any(owner.get("uid") == uid for owner in document["metadata"].get("ownerReferences") or ())


async def _why(client: Client, kind: Kind, meta: Document) -> Document | None:
    try:
        answer = await client.call("why", resource=kind.resource, name=meta["name"], namespace=meta.get("namespace", ""), limit=1)
    except (Forbidden, NotFound):
        return None
    return answer["steps"][0] if answer["steps"] else None
