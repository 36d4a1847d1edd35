"""Manifests: documents out of files, folders, standard input and the web, as `-f` names them.

    -f FILE    several documents divided by `---`, JSON or YAML      -f -      standard input
    -f DIR     its *.yaml, *.yml and *.json, with -R below it too    -f URL    http and https

Owns finding and reading them, and that each says what it is. A List is taken apart into its items. What is wrong is said with the
place where it stands. YAML is read as the master reads it (`common/yaml_documents.py`); a field that stands twice is refused here,
because only one of the two could be sent.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from common.errors import SteersmanError

ENDINGS = (".yaml", ".yml", ".json")
MAX_BYTES = 32 * 1024 * 1024
FETCH_S = 30.0
_DIVIDER = re.compile(rb"^---(?:[ \t].*)?$", re.MULTILINE)


class Manifest(msgspec.Struct, frozen=True):
    """where: for messages."""

    document: dict[str, Any]
    where: str

    @property
    def name(self) -> str:
        return self.document["metadata"].get("name", "")

    @property
    def namespace(self) -> str:
        return self.document["metadata"].get("namespace", "")

    @property
    def what(self) -> tuple[str, str]:
        """apiVersion and kind."""
        return self.document["apiVersion"], self.document["kind"]


def read(places: tuple[str, ...], *, recursive: bool = False) -> list[Manifest]:
    """Raises ClickException, with the place."""
    found = []
    for place in places:
        for where, body in _bodies(place, recursive):
            found += parse(body, where)
    if not found:
        raise click.ClickException(f"no objects in {', '.join(places)}")
    return found


def _bodies(place: str, recursive: bool) -> Iterator[tuple[str, bytes]]:
    if place == "-":
        yield "standard input", sys.stdin.buffer.read(MAX_BYTES + 1)
    elif place.startswith(("http://", "https://")):
        yield place, _fetched(place)
    else:
        path = Path(place)
        try:
            if path.is_dir():
                members = sorted(path.rglob("*") if recursive else path.iterdir())
                for member in members:
                    if member.suffix in ENDINGS and member.is_file():
                        yield str(member), member.read_bytes()[: MAX_BYTES + 1]
            else:
                yield place, path.read_bytes()[: MAX_BYTES + 1]
        except OSError as error:
            raise click.ClickException(f"cannot read {error.filename or place}: {error.strerror}") from None


def _fetched(url: str) -> bytes:
    import urllib.error
    import urllib.request

    try:
        with urllib.request.urlopen(url, timeout=FETCH_S) as answer:
            return answer.read(MAX_BYTES + 1)
    except (urllib.error.URLError, OSError) as error:
        raise click.ClickException(f"cannot fetch {url}: {getattr(error, 'reason', error)}") from None


def parse(body: bytes, where: str) -> list[Manifest]:
    """The objects in a body. Raises ClickException."""
    if len(body) > MAX_BYTES:
        raise click.ClickException(f"{where} is larger than {MAX_BYTES >> 20} MiB: divide it")
    found: list[Manifest] = []
    parts = [part for part in _DIVIDER.split(body) if part.strip()]
    for number, part in enumerate(parts, 1):
        place = where if len(parts) == 1 else f"{where}, document {number}"
        found += _objects(_decoded(part, place), place)
    return found


def _decoded(part: bytes, place: str) -> Any:
    from common import yaml_documents

    if part.lstrip()[:1] == b"{":
        try:
            return msgspec.json.decode(part)
        except msgspec.DecodeError:
            pass  # a flow mapping of YAML begins so too
    try:
        document, twice = yaml_documents.decode(part)
    except SteersmanError as error:
        raise click.ClickException(f"{place}: {error.message}") from None
    if twice:
        raise click.ClickException(f"{place}: {twice[0]}: take one of them out")
    return document


def _objects(document: Any, place: str) -> list[Manifest]:
    if document is None:
        return []
    if not isinstance(document, dict):
        raise click.ClickException(f"{place}: not an object, but a {type(document).__name__}: it must begin with apiVersion and kind")
    for field in ("apiVersion", "kind"):
        if not isinstance(document.get(field), str) or not document[field]:
            raise click.ClickException(f"{place}: {field} is not set: it says what the object is")
    if document["kind"].endswith("List") and isinstance(document.get("items"), list):
        return [made for i, item in enumerate(document["items"]) for made in _objects(item, f"{place}, items[{i}]")]
    if not isinstance(document.get("metadata"), dict):
        raise click.ClickException(f"{place}: {document['kind']} has no metadata: it needs at least a name")
    return [Manifest(document, place)]
