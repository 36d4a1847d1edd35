"""`kctl diff`: what `kctl apply` would change, as a unified diff of YAML.

The master works the result out (a dry run), so defaults and fields of others are as they would be. Exit code 0: nothing would change;
1: something would; 2 and above: it could not be found out.
"""

from __future__ import annotations

import difflib
from typing import Any

import click

from common.errors import NotFound, SteersmanError
from ctl import manifests, options, output
from ctl.apply import explained
from ctl.client import Client, run
from ctl.objects import Objects
from ctl.placing import Place, named, placed, placing

TROUBLE = 2
HIDDEN = ("managedFields", "resourceVersion")


@click.command()
@options.files(required=True)
@click.option("--force-conflicts", "force", is_flag=True, help="As apply would with it.")
@options.namespaced
@click.pass_context
def diff(context: click.Context, places: tuple[str, ...], recursive: bool, force: bool, namespace: str) -> None:
    """Show what apply would change."""
    try:
        code = run(context, lambda client: _differences(client, places, recursive=recursive, force=force, namespace=namespace))
    except click.ClickException as error:
        error.exit_code = TROUBLE
        raise
    raise click.exceptions.Exit(code)


async def _differences(client: Client, places: tuple[str, ...], *, recursive: bool, force: bool, namespace: str) -> int:
    objects, where, code = Objects(client), await placing(client, namespace), 0
    for manifest in manifests.read(places, recursive=recursive):
        try:
            place = await where.of(named(manifest))
            try:
                before = await objects.get(place.kind.resource, place.name, place.namespace)
            except NotFound:
                before = None
            after, _ = await objects.apply(
                place.kind.resource, place.name, place.namespace, placed(manifest, place), force=force, dry_run=True
            )
            text = unified(place, before, after)
        except SteersmanError as error:
            click.echo(f"Error: {explained(error, manifest)}", err=True)
            code = TROUBLE
            continue
        click.echo(text, nl=False)
        code = max(code, 1 if text else 0)
    return code


def unified(place: Place, before: dict[str, Any] | None, after: dict[str, Any]) -> str:
    """"" when they are the same."""
    lines = [_lines(document) if document else [] for document in (before, after)]
    name = f"{place.label} {place.namespace}".rstrip()
    return "".join(difflib.unified_diff(*lines, f"live {name}", f"applied {name}"))


def _lines(document: dict[str, Any]) -> list[str]:
    meta = {name: value for name, value in document["metadata"].items() if name not in HIDDEN}
    return output.yaml_text({**document, "metadata": meta}).splitlines(keepends=True)
