"""`kctl node`: the hosts of the cluster. ls, cordon, uncordon, drain, rm, fence.

What kubectl has too works alike; `rm` and `fence` are ours. `fence` is the operator's word that a host is certainly down: only
then may what ran there be started elsewhere, if it must never run twice.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import click

from common.errors import Conflict, NotFound, Timeout, TooManyRequests
from common.objects.node import TAINT_OUT_OF_SERVICE
from ctl import output
from ctl.client import Client, connected
from ctl.objects import Objects, selection

ATTEMPTS = 5
EVICT_AGAIN_S = 5.0


@click.group()
def node() -> None:
    """The hosts of the cluster."""


@node.command("ls")
@click.option("-l", "--selector", default="", help="Only nodes with these labels.")
@output.output_option
@connected
async def ls(client: Client, selector: str, form: str) -> None:
    """List the nodes."""
    await print_list(client, "nodes", "", form, labels=selector)


async def print_list(client: Client, resource: str, namespace: str, form: str, *, labels: str = "", fields: str = "") -> None:
    """List a resource in one of the output forms."""
    tabular = form in ("table", "wide")
    query = selection(labels=labels, fields=fields)
    result = await Objects(client).list(resource, namespace, form="table" if tabular else "plain", query=query)
    if not tabular:
        output.documents(result, form, resource=resource.removesuffix("s"))
    elif result["rows"]:
        output.table(result, wide=form == "wide")
    else:
        click.echo("No resources found", err=True)


async def _unschedulable(client: Client, name: str, value: bool) -> bool:
    """Set it; whether that changed anything."""
    before = await Objects(client).get("nodes", name)
    if bool(before["spec"].get("unschedulable")) == value:
        return False
    await Objects(client).patch("nodes", name, "", {"spec": {"unschedulable": value or None}})
    return True


@node.command()
@click.argument("name")
@connected
async def cordon(client: Client, name: str) -> None:
    """Place no new pods on NAME."""
    changed = await _unschedulable(client, name, True)
    click.echo(f"node/{name} {'cordoned' if changed else 'already cordoned'}")


@node.command()
@click.argument("name")
@connected
async def uncordon(client: Client, name: str) -> None:
    """Place pods on NAME again."""
    changed = await _unschedulable(client, name, False)
    click.echo(f"node/{name} {'uncordoned' if changed else 'already uncordoned'}")


@node.command()
@click.argument("name")
@click.option("--force", is_flag=True, help="Also delete pods that no controller will make anew.")
@click.option("--grace-period", type=int, default=None, help="Seconds each pod gets to end; its own by default.")
@click.option("--timeout", type=float, default=0, help="Give up after so many seconds; 0: never.")
@connected
async def drain(client: Client, name: str, force: bool, grace_period: int | None, timeout: float) -> None:
    """Cordon NAME and move its pods away, waiting until they are gone."""
    changed = await _unschedulable(client, name, True)
    click.echo(f"node/{name} {'cordoned' if changed else 'already cordoned'}")
    listed = await Objects(client).list("pods", query=selection(fields=f"spec.nodeName={name}"))
    leaving = [pod for pod in listed["items"] if not _daemon(pod)]
    bare = [_label(pod) for pod in leaving if not pod["metadata"].get("ownerReferences")]
    if bare and not force:
        raise click.ClickException(
            f"cannot delete pods that no controller will make anew (use --force to delete them): {', '.join(bare)}"
        )
    try:
        async with asyncio.timeout(timeout or None):
            for pod in leaving:
                await _evict(client, pod, grace_period)
    except TimeoutError:
        raise Timeout(f"node {name}: not all of its pods could be evicted within {timeout:g} s") from None
    await _until_gone(client, name, {pod["metadata"]["uid"]: _label(pod) for pod in leaving}, listed, timeout)
    click.echo(f"node/{name} drained")


async def _evict(client: Client, pod: dict[str, Any], grace_period: int | None) -> None:
    """Asks again until the pod's disruption budget lets it go."""
    meta = pod["metadata"]
    while True:
        click.echo(f"evicting pod {_label(pod)}")
        try:
            eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": meta["name"], "namespace": meta["namespace"]}}
            if grace_period is not None:
                eviction["deleteOptions"] = {"gracePeriodSeconds": grace_period}
            await Objects(client).create("pods", meta["namespace"], eviction, name=meta["name"], subresource="eviction")
            return
        except NotFound:
            return
        except TooManyRequests as error:
            click.echo(f"pod {_label(pod)}: {error.message} Again in {EVICT_AGAIN_S:g} s.", err=True)
        await asyncio.sleep(EVICT_AGAIN_S)


async def _until_gone(client: Client, name: str, waiting: dict[str, str], listed: dict[str, Any], timeout_s: float) -> None:
    if not waiting:
        return
    after = int(listed["metadata"]["resourceVersion"])
    query = selection(fields=f"spec.nodeName={name}")
    watching = Objects(client).watch("pods", query=query, after=after, timeout_s=timeout_s or None)
    async with aclosing(watching) as events:
        async for event in events:
            if event["type"] == "DELETED":
                gone = waiting.pop(event["object"]["metadata"]["uid"], None)
                if gone:
                    click.echo(f"pod/{gone} evicted")
            if not waiting:
                return
    raise Timeout(f"node {name}: still there after {timeout_s:g} s: {', '.join(sorted(waiting.values()))}")


def _daemon(pod: dict[str, Any]) -> bool:
    owners = pod["metadata"].get("ownerReferences") or []
    return any(owner["kind"] == "DaemonSet" and owner.get("controller") for owner in owners)


def _label(pod: dict[str, Any]) -> str:
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


@node.command()
@click.argument("name")
@click.option("--force", is_flag=True, help="Even if pods are still on it, or it is alive.")
@connected
async def rm(client: Client, name: str, force: bool) -> None:
    """Forget NAME: its key is refused from now on, and the host must join again to come back."""
    if not force:
        pods = await Objects(client).list("pods", query=selection(fields=f"spec.nodeName={name}"))
        if pods["items"]:
            raise click.ClickException(
                f"node {name} still holds {len(pods['items'])} pod(s): kctl node drain {name}, or --force to leave them to it"
            )
    await Objects(client).delete("nodes", name)
    click.echo(f"node/{name} removed")


@node.command()
@click.argument("name")
@click.option("--undo", is_flag=True, help="The host is sound again: take the fence away.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@connected
async def fence(client: Client, name: str, undo: bool, yes: bool) -> None:
    """Declare that NAME is certainly down, so that its pods may be replaced.

    If the host still runs, a pod that must be at most one may then run twice: switch it off first.
    """
    if not undo and not yes:
        click.confirm(f"Is {name} certainly down? What it may still run will be started elsewhere", abort=True)
    for attempt in range(ATTEMPTS):
        document = await Objects(client).get("nodes", name)
        taints = [t for t in document["spec"].get("taints") or [] if t["key"] != TAINT_OUT_OF_SERVICE]
        if not undo:
            taints.append({"key": TAINT_OUT_OF_SERVICE, "value": "fenced", "effect": "NoExecute"})
        document["spec"]["taints"] = taints
        try:
            await Objects(client).update("nodes", name, "", document)
        except Conflict:
            if attempt == ATTEMPTS - 1:
                raise
            continue
        break
    click.echo(f"node/{name} {'unfenced' if undo else 'fenced'}")
