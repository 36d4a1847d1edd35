"""`kctl logs`: what containers write.

    POD, or KIND/NAME whose pods it is, or -l LABELS ──► pods and their containers ──► their logs, in turn or, followed, together

Owns which container is meant; what there is to read, and what not yet, the master says.
"""

from __future__ import annotations

import sys
from typing import Any

import click
import msgspec

from common.aio.tasks import TaskGroup
from common.errors import SteersmanError
from common.objects import meta, selectors
from ctl import completion, kinds, options
from ctl.client import Client, connected
from ctl.durations import DURATION
from ctl.objects import Objects, selection

DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
LINES_OF_MANY = 10
TOGETHER = 16
"""So many logs are followed at once."""


class Source(msgspec.Struct, frozen=True):
    pod: str
    container: str


@click.command()
@click.argument("target", required=False, metavar="POD | KIND/NAME", shell_complete=completion.pods)
@click.argument("container_", required=False, metavar="[CONTAINER]")
@click.option("-c", "--container", default="", metavar="CONTAINER", help="Of this one.")
@click.option("--all-containers", "every", is_flag=True, help="Of all containers of the pod.")
@click.option("-f", "--follow", is_flag=True, help="Go on as more is written, until Ctrl-C or the container's end.")
@click.option("-p", "--previous", is_flag=True, help="Of the container's run before this one.")
@click.option("--tail", type=click.IntRange(min=-1), default=None, metavar="LINES",
              help="Only so many of the last lines; -1: all [default: all, 10 with --selector].")
@click.option("--since", type=DURATION, default=0, metavar="DURATION", help="Only what is newer than 5s, 2m or 3h.")
@click.option("--since-time", default="", metavar="TIME", help="Only what is newer than an RFC 3339 time.")
@click.option("--timestamps", is_flag=True, help="With the time of each line.")
@click.option("--prefix", is_flag=True, help="With the pod and container before each line.")
@options.selector
@options.namespaced
@connected
async def logs(
    client: Client, target: str | None, container_: str | None, container: str, every: bool, follow: bool, previous: bool, tail: int | None,
    since: int, since_time: str, timestamps: bool, prefix: bool, selector: str, namespace: str,
) -> None:  # fmt: skip
    """Print what a pod's container writes: `kctl logs web-1`, `kctl logs -f deploy/web`, `kctl logs -l app=web --tail 20`."""
    if bool(target) == bool(selector):
        raise click.UsageError("name a pod, KIND/NAME, or --selector")
    objects, where = Objects(client), options.here(namespace)
    asked = container or container_ or ""
    query = {name: "true" for name, wanted in (("follow", follow), ("previous", previous), ("timestamps", timestamps)) if wanted}
    if tail is None and selector:
        tail = LINES_OF_MANY
    if tail is not None and tail >= 0:
        query["tailLines"] = str(tail)
    if since:
        query["sinceSeconds"] = str(since)
    if since_time:
        query["sinceTime"] = since_time
    pods = await _pods(client, objects, target or "", labels=selector, namespace=where)
    sources = [source for pod in pods for source in chosen(pod, asked, every=every)]
    if not sources:
        click.echo(f"No resources found in {where} namespace.", err=True)
    if follow and len(sources) > TOGETHER:
        raise click.ClickException(f"{len(sources)} logs are more than can be followed at once ({TOGETHER}): choose fewer with --selector")
    if not follow:
        for source in sources:
            await _print(objects, source, where, query, marked=prefix)
        return
    async with TaskGroup() as group:
        for source in sources:
            group.start(_print(objects, source, where, query, marked=prefix))


async def _pods(client: Client, objects: Objects, target: str, *, labels: str, namespace: str) -> list[dict[str, Any]]:
    kind, slash, name = target.partition("/")
    if target and not slash:
        return [await objects.get("pods", target, namespace)]
    if target:
        known = (await kinds.load(client)).named(kind)
        if known.plural == "pods":
            return [await objects.get("pods", name, namespace)]
        owner = await objects.get(known.resource, name, namespace)
        labels = selector_of(owner)
        if not labels:
            raise click.ClickException(f"{known.label(name)} has no pods of its own, as it has no selector: name a pod")
    listed = (await objects.list("pods", namespace, query=selection(labels=labels)))["items"]
    if not slash:
        return listed
    if not listed:
        raise click.ClickException(f"{target} has no pods: kctl why {target} tells how it came to that")
    best = max(listed, key=_readiness)
    if len(listed) > 1:
        click.echo(f"Found {len(listed)} pods, using pod/{best['metadata']['name']}", err=True)
    return [best]


def selector_of(owner: dict[str, Any]) -> str:
    """The selector of a workload, or of a Service, as text."""
    chosen_ = (owner.get("spec") or {}).get("selector") or {}
    if chosen_ and "matchLabels" not in chosen_ and "matchExpressions" not in chosen_:
        chosen_ = {"matchLabels": chosen_}
    return selectors.of(msgspec.convert(chosen_, meta.LabelSelector)).text() if chosen_ else ""


def _readiness(pod: dict[str, Any]) -> tuple[bool, bool]:
    status = pod.get("status") or {}
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions") or ())
    return status.get("phase") == "Running", ready


def chosen(pod: dict[str, Any], asked: str, *, every: bool) -> list[Source]:
    """The containers whose logs are meant: the one asked for, all, the pod's default one, or the first, which is said."""
    name, spec = pod["metadata"]["name"], pod["spec"]
    containers = [c["name"] for c in spec["containers"]]
    if every:
        return [Source(name, c["name"]) for c in (*(spec.get("initContainers") or ()), *spec["containers"])]
    if asked:
        return [Source(name, asked)]
    default = (pod["metadata"].get("annotations") or {}).get(DEFAULT_CONTAINER)
    if default in containers:
        return [Source(name, default)]
    if len(containers) > 1:
        click.echo(f'Defaulted container "{containers[0]}" out of: {", ".join(containers)}', err=True)
    return [Source(name, containers[0])]


async def _print(objects: Objects, source: Source, namespace: str, query: dict[str, str], *, marked: bool) -> None:
    out, rest = sys.stdout.buffer, b""
    mark = f"[pod/{source.pod}/{source.container}] ".encode() if marked else b""
    try:
        async for chunk in objects.log(source.pod, namespace, {**query, "container": source.container}):
            if mark:
                *lines, rest = (rest + chunk).split(b"\n")
                chunk = b"".join(mark + line + b"\n" for line in lines)
            out.write(chunk)
            out.flush()
    except SteersmanError as error:
        raise type(error)(f"the log of {source.container} in pod/{source.pod}: {error.message}") from None
    if rest:
        out.write(mark + rest + b"\n")
        out.flush()
