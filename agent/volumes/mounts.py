"""The kernel's calls that volumes need and Python lacks: mounts, and opening a path that cannot lead out of its folder.

A container writes to its volumes while the agent makes paths in them, so a path that was looked at may be another one a moment later.
Nothing here looks first and acts then: `openat2` resolves a path without ever leaving the folder, whatever symbolic links stand in it,
and what was opened is mounted by its descriptor, not by its name.
"""

from __future__ import annotations

import ctypes
import os
import re
import stat
from pathlib import Path

SYS_OPENAT2 = 437
RESOLVE_NO_MAGICLINKS, RESOLVE_BENEATH = 0x02, 0x08
MS_NOSUID, MS_NODEV, MS_BIND, MNT_DETACH = 0x2, 0x4, 0x1000, 0x2
_ESCAPED = re.compile(r"\\([0-7]{3})")
_libc = ctypes.CDLL(None, use_errno=True)


class _How(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def _checked(result: int, path: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)
    return result


def open_beneath(folder: int, path: str, flags: int = 0) -> int:
    """A descriptor for `path` below the opened folder. Raises OSError (EXDEV when the path leads out)."""
    how = _How(os.O_PATH | os.O_CLOEXEC | flags, 0, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS)
    call = (ctypes.c_long(SYS_OPENAT2), ctypes.c_int(folder), path.encode(), ctypes.byref(how), ctypes.c_size_t(ctypes.sizeof(how)))
    return _checked(_libc.syscall(*call), path)


def make_beneath(folder: int, path: str) -> int:
    """As `open_beneath`; folders that are missing on the way are made, with the mode of the opened one."""
    try:
        return open_beneath(folder, path)
    except FileNotFoundError:
        pass
    mode = stat.S_IMODE(os.fstat(folder).st_mode)
    current = os.dup(folder)
    done: list[str] = []
    try:
        for name in filter(None, path.split("/")):
            done.append(name)
            try:
                # From the top each time: a link in the middle may lead up again, but not out.
                following = open_beneath(folder, "/".join(done), os.O_DIRECTORY)
            except FileNotFoundError:
                following = _make(current, name, mode)
            os.close(current)
            current = following
        return os.dup(current)
    finally:
        os.close(current)


def _make(parent: int, name: str, mode: int) -> int:
    inside = f"/proc/self/fd/{parent}"  # mkdir by a descriptor of O_PATH
    os.mkdir(f"{inside}/{name}", 0o700)
    made = os.open(f"{inside}/{name}", os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    os.fchmod(made, mode)
    return made


def bind(source: int, target: str) -> None:
    """What the descriptor is of appears at the target too, which is a folder or a file as it is. Raises OSError."""
    _checked(_libc.mount(f"/proc/self/fd/{source}".encode(), target.encode(), None, ctypes.c_ulong(MS_BIND), None), target)


def tmpfs(target: str, size_bytes: int) -> None:
    """size_bytes 0: half of the memory, as the kernel has it. Raises OSError."""
    options = f"size={size_bytes}" if size_bytes else ""
    flags = ctypes.c_ulong(MS_NOSUID | MS_NODEV)
    _checked(_libc.mount(b"tmpfs", target.encode(), b"tmpfs", flags, options.encode()), target)


def unmount(target: str) -> None:
    """Out of sight at once, even if it is in use. Raises OSError."""
    _checked(_libc.umount2(target.encode(), MNT_DETACH), target)


def below(folder: str) -> list[str]:
    """The mounts at or under a folder, innermost first."""
    return [point for point, _ in _all() if point == folder or point.startswith(f"{folder}/")][::-1]


def filesystem(path: str) -> str:
    """The kind of the one that a path is on: `tmpfs`, `ext4`."""
    over = [(len(point), kind) for point, kind in _all() if path == point or path.startswith(point.rstrip("/") + "/")]
    return max(enumerate(over), key=lambda entry: (entry[1][0], entry[0]))[1][1] if over else ""


def _all() -> list[tuple[str, str]]:
    """All mounts and their kinds, in the order in which they were made."""
    found = []
    for line in Path("/proc/self/mountinfo").read_bytes().split(b"\n"):
        head, _, tail = line.partition(b" - ")
        words = head.split(b" ", 5)
        if tail and len(words) > 4:
            found.append((_ESCAPED.sub(lambda match: chr(int(match[1], 8)), os.fsdecode(words[4])), os.fsdecode(tail.split(b" ", 1)[0])))
    return found
