"""`kctl create`: make the objects that manifests say; what exists already is an error.

An object without a name, but with `metadata.generateName`, gets a name of the master's. An object that fails does not keep the others from
being made.
"""

from __future__ import annotations

import click

from common.errors import SteersmanError
from ctl import manifests, options, output
from ctl.client import Client, connected
from ctl.objects import Objects
from ctl.placing import named, placed, placing


@click.command()
@options.files(required=True)
@options.dry_run
@options.written
@options.namespaced
@connected
async def create(client: Client, places: tuple[str, ...], recursive: bool, dry_run: bool, form: str, namespace: str) -> None:
    """Make the objects that FILE says."""
    objects, where, failed = Objects(client), await placing(client, namespace), False
    for manifest in manifests.read(places, recursive=recursive):
        try:
            if not manifest.document["metadata"].get("generateName"):
                named(manifest)
            place = await where.of(manifest)
            made = await objects.create(place.kind.resource, place.namespace, placed(manifest, place), dry_run=dry_run)
            output.written(place.kind.label(made["metadata"]["name"]), made, "created", form=form, dry_run=dry_run)
        except (SteersmanError, click.ClickException) as error:
            failed = True
            text = error.message if isinstance(error, click.ClickException) else f"{manifest.where}: {error.message}"
            click.echo(f"Error: {text}", err=True)
    if failed:
        raise click.exceptions.Exit(1)
