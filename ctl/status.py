"""`kctl status` and `kctl version`: the cluster at a glance.

Nodes, pods by what they are doing, Deployments and how complete they are, and the latest warnings. Nothing here is computed that
the API does not say; it is one page instead of five commands, and what is in trouble comes first.

    overview (asks the master) ──► View as plain data ──► page (pure, rich) ──► printed once, or again after changes
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from common import version as build
from common.aio.tasks import TaskGroup
from ctl import output
from ctl.client import Client, run
from ctl.objects import Objects, selection

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

WARNINGS = 5
SHOWN = 8
"""Lines a section may take."""
REDRAW_S = 0.2
WATCHED = ("nodes", "pods", "deployments", "events")
SOUND_PODS = {"Running", "Completed", "Succeeded"}


async def overview(client: Client) -> dict[str, Any]:
    """The figures behind `kctl status`."""
    nodes, pods, deployments, events = [
        await Objects(client).list(resource, form="table", query=query)
        for resource, query in (("nodes", {}), ("pods", {}), ("deployments", {}), ("events", selection(fields="type=Warning")))
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


def lines(view: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """The page as (section, text, in trouble): a summary of each section, then its members, troubled first, at most SHOWN."""
    nodes, rollouts = view["nodes"], view["deployments"]
    broken = [f"{name}: {text}" for name, text in sorted(nodes.items()) if text != "Ready"]
    ready = sum(text.startswith("Ready") for text in nodes.values())
    made = [("nodes", f"{ready} of {len(nodes)} ready", ready < len(nodes)), *_bounded("", [(text, True) for text in broken])]
    phases = sorted(view["pods"].items(), key=lambda each: (each[0] in SOUND_PODS, -each[1], each[0]))
    made += _bounded("pods", [(f"{count} {phase}", phase not in SOUND_PODS) for phase, count in phases]) or [("pods", "none", False)]
    ordered = sorted(((_behind(text), name, text) for name, text in rollouts.items()), key=lambda each: (not each[0], each[1]))
    made += _bounded("deployments", [(f"{name}: {text} ready", behind) for behind, name, text in ordered])
    return made + [("warnings" if not i else "", text, True) for i, text in enumerate(view["warnings"])]


def _bounded(section: str, members: list[tuple[str, bool]]) -> list[tuple[str, str, bool]]:
    shown = [(section if not i else "", text, trouble) for i, (text, trouble) in enumerate(members[:SHOWN])]
    hidden = members[SHOWN:]
    return [*shown, ("", f"and {len(hidden)} more", any(trouble for _, trouble in hidden))] if hidden else shown


def _behind(text: str) -> bool:
    ready, _, wanted = text.partition("/")
    return ready != wanted


def page(view: dict[str, Any]) -> Table:
    """The view as a renderable: each line cut at the width of the terminal."""
    from rich.table import Table
    from rich.text import Text

    made = Table.grid(padding=(0, 2), expand=False)
    made.add_column(no_wrap=True, style="bold", min_width=11)
    made.add_column()
    for section, text, trouble in lines(view):
        made.add_row(Text(section), Text(text, style="red" if trouble else "", no_wrap=True, overflow="ellipsis"))
    return made


async def _watch(client: Client, console: Console) -> None:
    """Draw, and again after each change, at most every REDRAW_S."""
    from rich.live import Live

    changed = asyncio.Event()

    async def listen(resource: str) -> None:
        async for _ in Objects(client, told=lambda text: None).watch(resource):
            changed.set()

    async with TaskGroup() as group:
        for resource in WATCHED:
            group.start(listen(resource), name=f"watch {resource}")
        with Live(console=console, auto_refresh=False) as live:
            while True:
                changed.clear()
                live.update(page(await overview(client)), refresh=True)
                await asyncio.sleep(REDRAW_S)
                await changed.wait()


@click.command()
@click.option("-o", "--output", "form", type=click.Choice(["json", "yaml"]), default=None, help="The figures as json or yaml.")
@click.option("-w", "--watch", "watching", is_flag=True, help="Draw again after each change, until Ctrl-C.")
@click.pass_context
def status(context: click.Context, form: str | None, watching: bool) -> None:
    """The cluster at a glance."""
    if form and watching:
        raise click.UsageError("--watch draws a page: leave out --output")
    if form:
        output.documents(run(context, overview), form)
        return
    from rich.console import Console

    console = Console(highlight=False)
    if not watching:
        console.print(page(run(context, overview)))
        return
    try:
        run(context, lambda client: _watch(client, console))
    except KeyboardInterrupt:
        return


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
