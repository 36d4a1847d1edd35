"""What the labs of one machine have in common: the folders on which hosts mount their own, and the mount of /run/netns.

The lab that finds them missing makes them, and the last lab on the machine takes them away: one that leaves while others live hands its
record over, in a small file that goes with the last of them. Whether others live is read from their namespaces, never stored.

Subtle: removing a folder detaches whatever is mounted on it in every mount namespace. A lab that removed its own mount points would
take the disks of all other labs' hosts away, under their running masters.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import msgspec

from lab import net

RECORD = Path("/run/steersman-labs.json")


class Made(msgspec.Struct):
    """folders: that were not there before, deepest last. netns_mount: /run/netns became a mount through a lab."""

    folders: list[str] = []
    netns_mount: bool = False


def leave(lab_id: str, made: Made) -> None:
    """The lab is gone, its namespaces included: remove what it shared, or hand it over to those that are still there."""
    with net.claiming():
        handed = _load()
        made = Made(handed.folders + [f for f in made.folders if f not in handed.folders], made.netns_mount or handed.netns_mount)
        if net.other_labs(lab_id):
            RECORD.write_bytes(msgspec.json.encode(made))
            return
        if made.netns_mount:
            net.remove_netns_mount()
        for folder in sorted(made.folders, key=len, reverse=True):
            with contextlib.suppress(OSError):
                os.rmdir(folder)
        RECORD.unlink(missing_ok=True)


def _load() -> Made:
    try:
        return msgspec.json.decode(RECORD.read_bytes(), type=Made)
    except (OSError, msgspec.DecodeError):
        return Made()
