"""`kctl delete`: delete objects, and wait until they are gone.

Owns which objects are meant (names, labels, manifests), in which way they go, and the waiting: an object is gone when the watch says so,
or when another has its name. What keeps one from going is said when the time is up.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import click
import msgspec

from common.errors import Forbidden, NotFound, SteersmanError, Timeout
from ctl import kinds, manifests, options
from ctl.client import Client, connected
from ctl.durations import DURATION
from ctl.objects import Objects, selection
from ctl.placing import Place, named, placing

CASCADES = {"background": "Background", "foreground": "Foreground", "orphan": "Orphan"}
FORCED = "the objects go at once, without anybody confirming that what they ran has ended: it may go on for some time, or for ever"


class Way(msgspec.Struct, frozen=True):
    """How they go."""

    cascade: str
    grace_s: int | None
    dry_run: bool
    force: bool
    tolerant: bool

    @property
    def options(self) -> dict[str, Any]:
        return {
            "kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": CASCADES[self.cascade],
            **({} if self.grace_s is None else {"gracePeriodSeconds": self.grace_s}), **({"dryRun": ["All"]} if self.dry_run else {}),
        }  # fmt: skip


@click.command()
@options.words
@options.files("Those that are in a file, folder, URL or - (standard input); repeatable.")
@options.selector
@click.option("--all", "everything", is_flag=True, help="All of the kind in the namespace.")
@click.option("--grace-period", type=click.IntRange(min=0), default=None, metavar="SECONDS", help="Time to end; their own by default.")
@click.option("--now", is_flag=True, help="The same as --grace-period 1.")
@click.option("--force", is_flag=True, help="At once, without confirmation by their host.")
@click.option("--cascade", type=click.Choice(list(CASCADES)), default="background", show_default=True, help="What of that they own.")
@click.option("--wait", type=bool, default=True, show_default=True, metavar="BOOL", help="Until they are gone.")
@click.option("--timeout", type=DURATION, default=0, metavar="DURATION", help="Wait no longer than this; 0: for ever.")
@click.option("--ignore-not-found", "tolerant", is_flag=True, help="What is not there is no error.")
@options.dry_run
@click.option("-o", "--output", "form", type=click.Choice(["name"]), default=None, help="Print the names alone.")
@options.namespaced
@connected
async def delete(
    client: Client, words: tuple[str, ...], places: tuple[str, ...], recursive: bool, selector: str, everything: bool,
    grace_period: int | None, now: bool, force: bool, cascade: str, wait: bool, timeout: int, tolerant: bool, dry_run: bool,
    form: str | None, namespace: str,
) -> None:  # fmt: skip
    """Delete objects: `kctl delete pod web`, `kctl delete deploy,svc -l app=web`, `kctl delete -f FILE`."""
    grace_s = 0 if force and grace_period is None else 1 if now else grace_period
    if grace_s == 0 and not force:
        grace_s = 1  # none at all is for --force alone
    way = Way(cascade, grace_s, dry_run, force, tolerant or bool(selector) or everything)
    objects = Objects(client)
    if places:
        if words or selector or everything:
            raise click.UsageError("give files, or kinds and names, not both")
        where = await placing(client, namespace)
        meant = [await where.of(named(manifest)) for manifest in manifests.read(places, recursive=recursive)]
    else:
        targets = (await kinds.load(client)).targets(words)
        meant = await chosen(objects, targets, labels=selector, everything=everything, namespace=options.here(namespace))
    if force and meant:
        click.echo(f"Warning: {FORCED}", err=True)
    going, failed = [], False
    for place in meant:
        try:
            uid = await _deleted(objects, place, way)
        except SteersmanError as error:
            click.echo(f"Error: {error.message}", err=True)
            failed = True
            continue
        if uid is not None:
            going.append((place, uid))
            what = f'{place.kind.label("").removesuffix("/")} "{place.name}" {"force deleted" if force else "deleted"}'
            click.echo(place.label if form else f"{what}{' (server dry run)' if dry_run else ''}")
    if not meant and not (places or words[1:]):
        click.echo("No resources found", err=True)
    if wait and not dry_run:
        await _until_gone(objects, going, timeout)
    if failed:
        raise click.exceptions.Exit(1)


async def chosen(
    objects: Objects, targets: list[kinds.Target], *, labels: str, everything: bool, namespace: str
) -> list[Place]:
    """The objects that are meant. Raises UsageError when it is not said which."""
    found = []
    for target in targets:
        where = namespace if target.kind.namespaced else ""
        if target.name:
            if labels or everything:
                raise click.UsageError("a name cannot be given together with --selector or --all")
            found.append(Place(target.kind, where, target.name))
        elif not labels and not everything:
            raise click.UsageError(f"which {target.kind.plural}? Give names, --selector or --all")
        else:
            listed = await objects.list(target.kind.resource, where, form="partial", query=selection(labels=labels))
            found += [Place(target.kind, where, item["metadata"]["name"]) for item in listed["items"]]
    return found


async def _deleted(objects: Objects, place: Place, way: Way) -> str | None:
    """Its uid; None for what was not there, if that is no error."""
    try:
        answer = await objects.delete(place.kind.resource, place.name, place.namespace, way.options)
    except NotFound:
        if way.tolerant:
            return None
        raise
    return answer.get("details", {}).get("uid", "") if answer.get("kind") == "Status" else answer["metadata"]["uid"]


async def _until_gone(objects: Objects, going: list[tuple[Place, str]], timeout_s: int) -> None:
    loop = asyncio.get_running_loop()
    ends = loop.time() + timeout_s if timeout_s else None
    for place, uid in going:
        try:
            document = await objects.get(place.kind.resource, place.name, place.namespace)
        except (NotFound, Forbidden):
            continue
        if document["metadata"]["uid"] != uid:
            continue
        await _gone(objects, place, document, left_s=None if ends is None else max(0.0, ends - loop.time()), timeout_s=timeout_s)


async def _gone(objects: Objects, place: Place, document: dict[str, Any], *, left_s: float | None, timeout_s: int) -> None:
    meta = document["metadata"]
    query = selection(fields=f"metadata.name={place.name}")
    watching = objects.watch(place.kind.resource, place.namespace, after=int(meta["resourceVersion"]), query=query, timeout_s=left_s)
    async with aclosing(watching) as events:
        async for event in events:
            if event["object"]["metadata"]["uid"] != meta["uid"] or event["type"] == "DELETED":
                return
            meta = event["object"]["metadata"]
    why = f"its finalizers are {', '.join(meta['finalizers'])}" if meta.get("finalizers") else "kctl describe tells how it is"
    raise Timeout(f"{place.label} is still there after {timeout_s} s: {why}")
