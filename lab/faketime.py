"""A wall clock of its own for one daemon: Debian's libfaketime, preloaded, with the offset in a file that it reads once a second.

The kernel has one wall clock for the whole machine; its time namespaces move the monotonic and the boot clock only. So a daemon whose
clock is to jump is started with the library (which takes one restart of it) and jumps while it runs, forwards and back, whenever the
file changes. Its monotonic clock and its children's kernel know nothing of it, as after `date --set`.
"""

from __future__ import annotations

import os
from pathlib import Path

from lab.contract import LabFault

FOLDERS = ("/usr/lib", "/usr/lib64", "/usr/local/lib")
NAME = "faketime/libfaketimeMT.so.1"
"""The variant for programs with threads."""
READ_EVERY_S = 1


def library() -> Path:
    """Raises LabFault when it is not installed."""
    for folder in FOLDERS:
        for path in (Path(folder) / NAME, *sorted(Path(folder).glob(f"*/{NAME}"))):
            if path.exists():
                return path
    raise LabFault("a clock that jumps needs libfaketime: install Debian's package libfaketime")


def environment(disk: Path) -> dict[str, str]:
    """What a daemon is started with so that its clock follows `jump`. Nothing of it is left in /dev/shm when it is killed."""
    return {
        "LD_PRELOAD": str(library()),
        "FAKETIME_TIMESTAMP_FILE": str(_file(disk)),
        "FAKETIME_CACHE_DURATION": str(READ_EVERY_S),
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DISABLE_SHM": "1",
    }


def jump(disk: Path, offset_s: int) -> None:
    """The clock is so far off the machine's, within READ_EVERY_S."""
    fresh = _file(disk).with_suffix(".new")
    fresh.write_text(f"{offset_s:+d}\n")
    os.replace(fresh, _file(disk))


def _file(disk: Path) -> Path:
    return disk / "clock"
