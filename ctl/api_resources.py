"""`kctl api-resources`: what kinds of objects there are, with the names that they go by."""

from __future__ import annotations

import click

from ctl import kinds, options, output
from ctl.client import Client, connected


@click.command("api-resources")
@click.option("--namespaced", "within", type=bool, default=None, metavar="BOOL", help="Only those in namespaces, or not.")
@click.option("--api-group", "group", default=None, metavar="GROUP", help='Only those of a group; "" is the core group.')
@click.option("--no-headers", is_flag=True, help="Rows only.")
@click.option("-o", "--output", "form", type=click.Choice(["wide", "name"]), default=None, help="More, or names alone.")
@options.acting
@connected
async def api_resources(client: Client, within: bool | None, group: str | None, no_headers: bool, form: str | None) -> None:
    """List what kinds of objects there are."""
    found = [
        kind for kind in (await kinds.load(client)).all
        if within in (None, kind.namespaced) and group in (None, kind.group)
    ]  # fmt: skip
    found.sort(key=lambda kind: (kind.group, kind.plural, kind.version))
    if form == "name":
        for name in dict.fromkeys(f"{kind.plural}.{kind.group}" if kind.group else kind.plural for kind in found):
            click.echo(name)
        return
    header = ["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND"]
    rows = [[kind.plural, ",".join(kind.short_names), kind.api_version, str(kind.namespaced).lower(), kind.kind] for kind in found]
    if form == "wide":
        header += ["VERBS", "CATEGORIES"]
        rows = [[*row, ",".join(kind.verbs), ",".join(kind.categories)] for row, kind in zip(rows, found, strict=True)]
    output.columns(rows, None if no_headers else header)
