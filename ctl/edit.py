"""`kctl edit`: change objects in an editor.

    object ──► YAML in a file ──► the editor ──► what was changed, as a merge patch ──► the master
                    ▲                                                                     │
                    └── the same text, with what was wrong as comments above it ◄─────────┘ refused, or somebody else changed the same field

Owns that circle. Only what the user changed is sent, so what others changed meanwhile stays; where both changed the same field, the user
decides again, with the object as it is now. Nothing is lost: a text that was not accepted in the end is kept in a file, which is named.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import click

from common.errors import BadRequest, Conflict, Invalid, SteersmanError
from ctl import differences, kinds, options, output
from ctl.client import Client, connected
from ctl.manifests import parse
from ctl.objects import MANAGER, Objects
from ctl.placing import Place

ATTEMPTS = 5
EDITOR = f"{MANAGER}-edit"
"""The field manager of what was edited: apply tells it from what it applied itself."""
HEAD = """\
# Change the object below and save it. Lines that begin with '#' at the top are left out; an empty file changes nothing.
"""

Document = dict[str, Any]


@click.command()
@options.words
@options.namespaced
@connected
async def edit(client: Client, words: tuple[str, ...], namespace: str) -> None:
    """Change objects in an editor: $KCTL_EDITOR, $EDITOR or vi."""
    objects, targets = Objects(client), (await kinds.load(client)).targets(words)
    if not all(target.name for target in targets):
        raise click.UsageError("name the objects: KIND NAME or KIND/NAME")
    for target in targets:
        place = Place(target.kind, options.here(namespace) if target.kind.namespaced else "", target.name)
        await _edited(objects, place)


async def _edited(objects: Objects, place: Place) -> None:
    before = await _current(objects, place)
    shown, wrong, refused = output.yaml_text(before), "", ""
    with tempfile.TemporaryDirectory(prefix="kctl-edit-") as folder:
        while True:
            offered = commented(wrong) + shown
            text = ask_editor(Path(folder, f"{place.name}.yaml"), offered)
            body = without_comments(text)
            if text == offered or not body.strip():
                _given_up(place, refused, wrong)
                return
            shown = body
            try:
                patch = differences.merge_patch(before, _read(body, place))
                if patch:
                    await _sent(objects, place, before, patch)
            except Overlap as overlap:
                wrong, before = overlap.message, overlap.current
                shown = output.yaml_text(differences.patched(before, overlap.patch))
            except (BadRequest, Conflict, Invalid, click.ClickException) as error:
                wrong = error.message
            except SteersmanError as error:
                raise click.ClickException(f"{error.message}\n{kept(place, body)}") from None
            else:
                click.echo(f"{place.label} {'edited' if patch else 'not changed'}")
                return
            refused = body


class Overlap(Exception):
    """Somebody else changed the same fields. current: the object now; patch: what the user changed."""

    def __init__(self, fields: list[str], current: Document, patch: Document) -> None:
        self.message = (
            f"changed by somebody else while you were editing: {', '.join(fields)}\n"
            "Below is the object as it is now, with your changes in it: take this comment away and save, to have yours."
        )
        self.current, self.patch = current, patch


async def _current(objects: Objects, place: Place) -> Document:
    document = await objects.get(place.kind.resource, place.name, place.namespace)
    document["metadata"].pop("managedFields", None)
    return document


async def _sent(objects: Objects, place: Place, before: Document, patch: Document) -> None:
    """At the version that was edited; at a newer one, if nobody touched the same fields. Raises Overlap."""
    version = before["metadata"]["resourceVersion"]
    for attempt in range(ATTEMPTS):
        guarded = {**patch, "metadata": {**patch.get("metadata", {}), "resourceVersion": version}}
        try:
            await objects.patch(place.kind.resource, place.name, place.namespace, guarded, manager=EDITOR)
            return
        except Conflict:
            if attempt == ATTEMPTS - 1:
                raise
        current = await _current(objects, place)
        both = differences.overlap(patch, differences.merge_patch(before, current))
        if both:
            raise Overlap(both, current, patch)
        version = current["metadata"]["resourceVersion"]


def _read(body: str, place: Place) -> Document:
    """Raises ClickException for what is not the object any more."""
    found = parse(body.encode(), "the edited text")
    if len(found) != 1:
        raise click.ClickException(f"the edited text must be one object, and not {len(found)}")
    document = found[0].document
    for said, expected, field in (
        (document["kind"], place.kind.kind, "kind"), (document["metadata"].get("name"), place.name, "metadata.name"),
        (document["metadata"].get("namespace", ""), place.namespace, "metadata.namespace"),
    ):  # fmt: skip
        if said != expected:
            raise click.ClickException(f"{field} cannot be changed: it was {expected}, and now it is {said}; make another object instead")
    document["metadata"].pop("managedFields", None)
    return document


def commented(wrong: str) -> str:
    """The head of the file, with what was wrong with the text before."""
    if not wrong:
        return HEAD
    lines = "".join(f"# {line}\n" for line in wrong.splitlines())
    return f"{HEAD}#\n# Not accepted:\n{lines}#\n"


def without_comments(text: str) -> str:
    """Without the comments at the top; those further down may be part of a value."""
    lines = text.splitlines(keepends=True)
    first = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    return "".join(lines[first:])


def ask_editor(path: Path, text: str) -> str:
    """What the user made of it. Raises ClickException when the editor cannot be run, or fails."""
    command = os.environ.get("KCTL_EDITOR") or os.environ.get("EDITOR") or "vi"
    path.write_text(text)
    try:
        code = subprocess.run([*shlex.split(command), str(path)]).returncode
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise click.ClickException(f"the editor {command!r} cannot be run: {reason}; name another one in EDITOR") from None
    if code:
        raise click.ClickException(f"the editor {command!r} ended with code {code}; nothing was changed")
    return path.read_text()


def _given_up(place: Place, refused: str, wrong: str) -> None:
    """The user saved nothing new: all is well, or what was refused is kept."""
    if refused:
        raise click.ClickException(f"{place.label} was not changed: {wrong.splitlines()[0].strip()}\n{kept(place, refused)}")
    click.echo(f"{place.label} not changed")


def kept(place: Place, body: str) -> str:
    """Keep a text that was not accepted, and say where."""
    descriptor, name = tempfile.mkstemp(prefix=f"kctl-edit-{place.name}-", suffix=".yaml")
    with os.fdopen(descriptor, "w") as file:
        file.write(body)
    return f"Your text is kept in {name}"
