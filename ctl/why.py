"""`kctl why KIND/NAME`: why an object is as it is, or why it is gone.

Prints the chain of causes from the newest change back: what was done, by whom, by which rule, and what that reacted to. The
master walks its history; kctl lays it out.
"""

from __future__ import annotations

import click

from common.clock import rfc3339
from ctl import output
from ctl.client import Client, connected


@click.command()
@click.argument("target", metavar="KIND/NAME")
@click.option("-n", "--namespace", default="default", show_default=True)
@click.option("--limit", type=int, default=50, help="At most so many steps.")
@output.output_option
@connected
async def why(client: Client, target: str, namespace: str, limit: int, form: str) -> None:
    """Explain the last change of an object, also of one that is gone: `kctl why pod/web-1`."""
    resource, slash, name = target.partition("/")
    if not slash or not name:
        raise click.UsageError("name the object as KIND/NAME, for example pod/web-1")
    result = await client.call("why", resource=resource, name=name, namespace=namespace, limit=limit)
    print_steps(result["steps"], form)


def print_steps(steps: list[dict], form: str) -> None:
    """Newest first; each step is what the one above it reacted to."""
    if form in ("json", "yaml"):
        output.documents({"steps": steps}, form)
        return
    for i, step in enumerate(steps):
        arrow = "← " if i else ""
        changed = f" ({', '.join(step['changed'])})" if step.get("changed") and form == "wide" else ""
        click.echo(f"{arrow}{step['object']} {step['verb']}{changed}: {step['why'] or step['rule']}")
        click.echo(f"{'  ' if i else ''}    {rfc3339(step['time'])}  revision {step['revision']}  {step['actor']}  {step['rule']}")
