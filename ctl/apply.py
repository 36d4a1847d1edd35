"""`kctl apply`: make the cluster hold what the manifests say, by server-side apply.

The master merges; kctl is the field manager `kctl`, so fields that it applied before and that are no longer in a manifest go, and fields
of others are kept, or are a conflict that names them. Says for each object: created, configured or unchanged; serverside-applied where
kctl may not read what was there before. An object that fails does not keep the others from being applied.
"""

from __future__ import annotations

from typing import Any

import click

from common.errors import Conflict, Forbidden, NotFound, SteersmanError
from ctl import manifests, options, output
from ctl.client import Client, connected
from ctl.manifests import Manifest
from ctl.objects import Objects
from ctl.placing import Place, named, placed, placing

Document = dict[str, Any]
TAKE_OVER = "\nTo take these fields over, use --force-conflicts; to leave them to their managers, take them out of the manifest."
UNCERTAIN = ("resourceVersion", "managedFields", "generation")
"""What differs without the object being another."""


@click.command()
@options.files(required=True)
@options.dry_run
@click.option("--force-conflicts", "force", is_flag=True, help="Take fields from those who own them.")
@options.written
@options.namespaced
@connected
async def apply(
    client: Client, places: tuple[str, ...], recursive: bool, dry_run: bool, force: bool, form: str, namespace: str
) -> None:
    """Make the cluster hold what FILE says.

    Fields that were applied before and are gone from FILE go from the object; fields of others stay.
    """
    objects, where, failed = Objects(client), await placing(client, namespace), False
    for manifest in manifests.read(places, recursive=recursive):
        try:
            place = await where.of(named(manifest))
            document, what = await applied(objects, place, manifest, force=force, dry_run=dry_run)
            output.written(place.label, document, what, form=form, dry_run=dry_run)
        except (SteersmanError, click.ClickException) as error:
            failed = True
            click.echo(f"Error: {explained(error, manifest)}", err=True)
    if failed:
        raise click.exceptions.Exit(1)


def explained(error: SteersmanError | click.ClickException, manifest: Manifest) -> str:
    """With the place in the files, and what can be done about it."""
    if isinstance(error, click.ClickException):
        return error.message
    conflict = isinstance(error, Conflict) and any(cause.reason == "FieldManagerConflict" for cause in error.causes)
    return f"{manifest.where}: {error.message}{TAKE_OVER if conflict else ''}"


async def applied(objects: Objects, place: Place, manifest: Manifest, *, force: bool, dry_run: bool) -> tuple[Document, str]:
    """The object, and what became of it."""
    before: Document | None = None
    readable = True
    try:
        before = await objects.get(place.kind.resource, place.name, place.namespace)
    except NotFound:
        pass
    except Forbidden:
        readable = False
    document, made = await objects.apply(
        place.kind.resource, place.name, place.namespace, placed(manifest, place), force=force, dry_run=dry_run
    )
    if made:
        return document, "created"
    if not readable or before is None:
        return document, "serverside-applied"
    return document, "unchanged" if same(before, document) else "configured"


def same(before: Document, after: Document) -> bool:
    def of(document: Document) -> Document:
        return {**document, "metadata": {name: value for name, value in document["metadata"].items() if name not in UNCERTAIN}}

    return before["metadata"].get("resourceVersion") == after["metadata"].get("resourceVersion") or of(before) == of(after)
