"""What this host holds, on disk: so that a restarted agent keeps its pods without a master.

Owns one file a pod, `UID.json`, written to a temporary name, synced and renamed: a crash leaves the old or the new one. A file
holds the pod's document as the master sent it (which names Secrets but never contains one), its generation, and the phase in which
it ended, if it did. Beside them `welcome` has the settings that the master told last. A file that cannot be read is set aside as
`UID.json.damaged`, with a line in the log, and costs nothing else: that pod's containers stay as they are until the master says what to do.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from pathlib import Path
from typing import Protocol

import msgspec

log = logging.getLogger(__name__)

ENTRY_MOST_BYTES = 5 << 20
ENTRIES_MOST = 5000
FORMAT = 1
WELCOME = "welcome"
_UID = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")


class Entry(msgspec.Struct, frozen=True):
    """pod: the document. finished: Succeeded or Failed once it ended by itself."""

    uid: str
    generation: int
    pod: bytes
    finished: str = ""


class _Stored(msgspec.Struct, frozen=True):
    format: int
    uid: str
    generation: int
    finished: str
    checksum: str
    pod: msgspec.Raw


class Journal(Protocol):
    def load(self) -> list[Entry]:
        """All readable entries, by uid."""

    def put(self, entry: Entry) -> None:
        """Durable on return. An entry equal to the stored one costs nothing."""

    def remove(self, uid: str) -> None:
        """Idempotent."""

    def told(self) -> dict[str, str]:
        """What the master's last Welcome said, so that pods are the same without it."""

    def tell(self, settings: dict[str, str]) -> None:
        """Keep that. Idempotent."""


class MemoryJournal:
    """For hollow hosts and the simulation. The object outlives the agent."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._told: dict[str, str] = {}

    def told(self) -> dict[str, str]:
        return self._told

    def tell(self, settings: dict[str, str]) -> None:
        self._told = settings

    def load(self) -> list[Entry]:
        return [self._entries[uid] for uid in sorted(self._entries)]

    def put(self, entry: Entry) -> None:
        self._entries[entry.uid] = entry

    def remove(self, uid: str) -> None:
        self._entries.pop(uid, None)


class FileJournal:
    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._known: dict[str, bytes] = {}

    def load(self) -> list[Entry]:
        entries: list[Entry] = []
        for leftover in self._folder.glob("*.tmp"):
            leftover.unlink(missing_ok=True)
        for path in sorted(self._folder.glob("*.json")):
            if len(entries) >= ENTRIES_MOST:
                log.error("journal-full most=%d left_out=%s", ENTRIES_MOST, path.name)
                break
            entry = self._read(path)
            if entry is not None:
                entries.append(entry)
        return entries

    def put(self, entry: Entry) -> None:
        if not _UID.match(entry.uid):
            log.error("journal-refused uid=%r why=not a file name", entry.uid[:130])
            return
        data = _encoded(entry)
        digest = hashlib.sha256(data).digest()
        if self._known.get(entry.uid) == digest:
            return
        temporary = self._folder / f"{entry.uid}.tmp"
        try:
            with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self._folder / f"{entry.uid}.json")
        except OSError as error:
            # A full disk must not stop the pod; only a restart without a master would miss it.
            log.error("journal-write-failed uid=%s why=%s", entry.uid, error)
            return
        self._known[entry.uid] = digest

    def remove(self, uid: str) -> None:
        self._known.pop(uid, None)
        if _UID.match(uid):
            (self._folder / f"{uid}.json").unlink(missing_ok=True)

    def told(self) -> dict[str, str]:
        try:
            return msgspec.json.decode((self._folder / WELCOME).read_bytes(), type=dict[str, str])
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:  # the next session tells it anew
            log.warning("journal-welcome-unreadable why=%s", error)
            return {}

    def tell(self, settings: dict[str, str]) -> None:
        temporary = self._folder / f"{WELCOME}.tmp"
        try:
            temporary.write_bytes(msgspec.json.encode(settings))
            os.replace(temporary, self._folder / WELCOME)
        except OSError as error:
            log.error("journal-write-failed file=%s why=%s", WELCOME, error)

    def _read(self, path: Path) -> Entry | None:
        try:
            size = path.stat().st_size
            if size > ENTRY_MOST_BYTES:
                raise ValueError(f"{size} bytes, more than {ENTRY_MOST_BYTES}")
            data = path.read_bytes()
            entry = _decoded(data, path.stem)
        except (OSError, ValueError, RecursionError) as error:
            self._set_aside(path, error)
            return None
        self._known[entry.uid] = hashlib.sha256(data).digest()
        return entry

    @staticmethod
    def _set_aside(path: Path, error: BaseException) -> None:
        aside = path.with_name(path.name + ".damaged")
        log.error("journal-entry-damaged file=%s moved_to=%s why=%s", path.name, aside.name, error)
        try:
            os.replace(path, aside)
        except OSError as failure:
            log.error("journal-entry-stuck file=%s why=%s", path.name, failure)


def _encoded(entry: Entry) -> bytes:
    stored = _Stored(FORMAT, entry.uid, entry.generation, entry.finished, _checksum(entry.pod), msgspec.Raw(entry.pod))
    return msgspec.json.encode(stored)


def _decoded(data: bytes, name: str) -> Entry:
    """Raises ValueError (msgspec's errors are ValueErrors)."""
    stored = msgspec.json.decode(data, type=_Stored)
    pod = bytes(stored.pod)
    if stored.format != FORMAT:
        raise ValueError(f"format {stored.format}, not {FORMAT}")
    if stored.uid != name:
        raise ValueError(f"it is the entry of {stored.uid!r}")
    if stored.checksum != _checksum(pod):
        raise ValueError("its checksum is wrong")
    return Entry(stored.uid, stored.generation, pod, stored.finished)


def _checksum(pod: bytes) -> str:
    return hashlib.sha256(pod).hexdigest()[:16]


