"""`kctl status` and `kctl version`: the cluster at a glance.

Nodes, pods by what they are doing, Deployments and how complete they are, and the latest warnings. Nothing here is computed that
the API does not say; it is one page instead of five commands.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import click

from common import version as build
from ctl import output
from ctl.client import Client, connected, run

WARNINGS = 5


async def overview(client: Client) -> dict[str, Any]:
    """The figures behind `kctl status`."""
    nodes, pods, deployments, events = [
        await client.call("list", resource=resource, table=True, **extra)
        for resource, extra in (("nodes", {}), ("pods", {}), ("deployments", {}), ("events", {"fields": "type=Warning"}))
    ]
    return {
        "nodes": {row["cells"][0]: row["cells"][1] for row in nodes["rows"]},
        "pods": dict(Counter(row["cells"][2] for row in pods["rows"])),
        "deployments": {_qualified(row): row["cells"][1] for row in deployments["rows"]},
        "warnings": [_warning(events, row) for row in events["rows"]][-WARNINGS:],
    }


def _qualified(row: dict[str, Any]) -> str:
    meta = row["object"]["metadata"]
    return f"{meta['namespace']}/{meta['name']}"


def _warning(table: dict[str, Any], row: dict[str, Any]) -> str:
    cells = dict(zip((c["name"] for c in table["columnDefinitions"]), row["cells"], strict=True))
    return f"{cells['Last Seen']} ago  {cells['Object']}  {cells['Reason']}: {cells['Message']}"


@click.command()
@output.output_option
@connected
async def status(client: Client, form: str) -> None:
    """The cluster at a glance."""
    print_status(await overview(client), form)


def print_status(view: dict[str, Any], form: str) -> None:
    if form in ("json", "yaml"):
        output.documents(view, form)
        return
    ready = sum(text.startswith("Ready") for text in view["nodes"].values())
    click.echo(f"nodes        {ready} of {len(view['nodes'])} ready")
    for name, text in view["nodes"].items():
        if text != "Ready":
            click.echo(f"             {name}: {text}")
    pods = ", ".join(f"{count} {text}" for text, count in sorted(view["pods"].items()))
    click.echo(f"pods         {pods or 'none'}")
    for name, text in view["deployments"].items():
        click.echo(f"deployment   {name}: {text} ready")
    for line in view["warnings"]:
        click.echo(f"warning      {line}")


@click.command()
@click.option("--client", "client_only", is_flag=True, help="Only kctl's own version.")
@click.pass_context
def version(context: click.Context, client_only: bool) -> None:
    """Versions of kctl and of the master."""
    click.echo(f"kctl    {build.VERSION}")
    if client_only:
        return
    async def ask(client: Client) -> dict[str, Any]:
        return await client.call("version")

    master = run(context, ask)
    click.echo(f"kmaster {master['version']} (Kubernetes {master['kubernetes']}), cluster {master['cluster']}")


