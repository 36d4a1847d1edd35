"""`kctl patch`: change fields of objects, as a patch in JSON or YAML says.

    --type strategic   lists are merged by their keys (built-in kinds alone)     --subresource scale   replicas of anything that scales
    --type merge       lists are replaced                                        --subresource status  the status alone
    --type json        a list of steps: [{"op": "replace", "path": "/spec/replicas", "value": 3}]
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from common.errors import SteersmanError, UnsupportedMediaType
from ctl import kinds, options, output
from ctl.client import Client, connected
from ctl.objects import MANAGER, PATCHES, Objects


@click.command()
@options.words
@click.option("-p", "--patch", "text", default="", metavar="PATCH", help="The patch, as JSON or YAML.")
@click.option("--patch-file", type=click.Path(path_type=Path, dir_okay=False), default=None, metavar="FILE", help="The patch, in a file.")
@click.option("--type", "way", type=click.Choice(list(PATCHES)), default="strategic", show_default=True, help="How it is merged.")
@click.option("--subresource", default="", metavar="PART", help="Of this part of the object: status, scale.")
@options.dry_run
@options.written
@options.namespaced
@connected
async def patch(
    client: Client, words: tuple[str, ...], text: str, patch_file: Path | None, way: str, subresource: str, dry_run: bool, form: str,
    namespace: str,
) -> None:  # fmt: skip
    """Change fields of objects: `kctl patch deploy web -p '{"spec":{"replicas":3}}'`."""
    wanted = read(text, patch_file, way)
    objects, targets = Objects(client), (await kinds.load(client)).targets(words)
    if not all(target.name for target in targets):
        raise click.UsageError("name the objects: KIND NAME or KIND/NAME")
    for target in targets:
        where = options.here(namespace) if target.kind.namespaced else ""
        before = await objects.get(target.kind.resource, target.name, where, subresource=subresource)
        try:
            after = await objects.patch(
                target.kind.resource, target.name, where, wanted, media=PATCHES[way], subresource=subresource, dry_run=dry_run,
                manager=f"{MANAGER}-patch",
            )  # fmt: skip
        except UnsupportedMediaType as error:
            raise SteersmanError(f"{error.message}; use --type merge for {target.kind.plural}") from None
        changed = before["metadata"].get("resourceVersion") != after["metadata"].get("resourceVersion") or before != after
        output.written(target.kind.label(target.name), after, "patched" if changed else "patched (no change)", form=form, dry_run=dry_run)


def read(text: str, file: Path | None, way: str) -> Any:
    """The patch. Raises ClickException when it cannot be read, or is not of that way's form."""
    from common import yaml_documents

    if bool(text) == (file is not None):
        raise click.UsageError("give the patch with --patch or in --patch-file")
    try:
        found, twice = yaml_documents.decode(text.encode() if file is None else file.read_bytes())
    except OSError as error:
        raise click.ClickException(f"cannot read {file}: {error.strerror}") from None
    except SteersmanError as error:
        raise click.ClickException(f"the patch cannot be read: {error.message}") from None
    if twice:
        raise click.ClickException(f"the patch cannot be read: {twice[0]}: take one of them out")
    if not isinstance(found, list if way == "json" else dict):
        raise click.ClickException(f"a patch of type {way} is {'a list of steps' if way == 'json' else 'an object'}, and this is not")
    return found
