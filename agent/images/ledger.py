"""Which images of this host are ours: those that this agent pulled, by name and content. All others belong to somebody else.

Owns one file, `images.json` in the agent's data folder, written anew when something is added or goes; a crash leaves the old or the new
one. A file that is lost makes images somebody else's, which costs disk and nothing more.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

import msgspec

from agent.images import reference
from agent.images.collection import StoredImage
from agent.images.reference import Reference

log = logging.getLogger(__name__)

MOST_BYTES = 8 << 20


class Entry(msgspec.Struct, frozen=True):
    """id: of the image that this name was pulled as. pulled_at: wall-clock seconds."""

    id: str
    pulled_at: float


class Ledger:
    """path None: in memory only."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._entries: dict[str, Entry] = self._load()

    def _load(self) -> dict[str, Entry]:
        if self._path is None:
            return {}
        try:
            if self._path.stat().st_size > MOST_BYTES:
                raise ValueError("it is too large")
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, Entry])
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            log.error("image-ledger-unreadable file=%s why=%s", self._path, error)
            return {}

    def pulled(self, name: Reference, identity: str, now: float) -> None:
        """By us, under a name that was not this image's before."""
        self._entries[str(name)] = Entry(identity, now)
        self._write()

    def pulled_at(self, image: StoredImage) -> float | None:
        """When we pulled it last; None: it is not ours, or not ours alone."""
        own = [(reference.parse(name), entry) for name, entry in self._entries.items() if entry.id == image.id]
        tagged, repositories = {(name.repository, name.tag) for name, _ in own}, {name.repository for name, _ in own}
        alone = all((tag.repository, tag.tag) in tagged for tag in image.tags)
        alone = alone and all(digest.repository in repositories for digest in image.digests)
        return max(entry.pulled_at for _, entry in own) if own and alone else None

    def keep(self, there: set[str]) -> None:
        """Forget the images that are gone."""
        gone = [name for name, entry in self._entries.items() if entry.id not in there]
        for name in gone:
            del self._entries[name]
        if gone:
            self._write()

    def _write(self) -> None:
        if self._path is None:
            return
        fresh = self._path.with_suffix(".tmp")
        try:
            with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(msgspec.json.encode(self._entries))
                file.flush()
                os.fsync(file.fileno())
            os.replace(fresh, self._path)
        except OSError as error:  # a full disk above all, which is when images are to go: what is in memory will do
            log.error("image-ledger-unwritten file=%s why=%s", self._path, error)
