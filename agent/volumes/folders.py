"""Volumes as folders of the host: made, filled, brought up to date, removed.

A volume of files has Kubernetes' own layout, so that a change reaches a running container at once and whole:

    color -> ..data/color          ..data -> ..2026…          ..2026…/color

Files are written beside and `..data` is moved to them with one rename. Nothing outside the two roots is ever removed.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from pathlib import Path

import msgspec

from agent.lifecycle.volumes import EmptyDir, File, Files, HostPath, Volume
from agent.runtime.contract import HostFile, RuntimeFault
from common.clock import Rng

log = logging.getLogger(__name__)

replace = msgspec.structs.replace

DATA = "..data"
GROUP_READS = 0o440
"""What the kubelet adds to the mode of files that belong to a pod's fsGroup."""


class FolderVolumes:
    """`agent.volumes.contract.Volumes`."""

    def __init__(self, volume_root: str, memory_root: str, rng: Rng) -> None:
        self._roots = (Path(volume_root), Path(memory_root))
        self._rng = rng

    def prepare(self, volumes: tuple[Volume, ...]) -> None:
        for volume in volumes:
            try:
                self._make(volume)
            except OSError as error:
                words = f'MountVolume.SetUp failed for volume "{volume.name}" : {error.strerror}: {error.filename}'
                raise RuntimeFault(words, kind="FailedMount") from None

    def prepare_files(self, files: tuple[HostFile, ...]) -> None:
        for file in files:
            path = Path(file.path)
            path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            # Written in place: a file that is mounted already is seen by its inode.
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600), "wb") as handle:
                os.fchmod(handle.fileno(), file.mode)
                if file.content is not None:
                    handle.truncate()
                    handle.write(file.content)

    def discard(self, uid: str) -> None:
        if not uid or "/" in uid or uid.startswith("."):
            return
        for root in self._roots:
            if (root / uid).is_dir():
                shutil.rmtree(root / uid, onerror=lambda _, path, info: log.warning("volume-left path=%s why=%s", path, info[1]))

    def _make(self, volume: Volume) -> None:
        if isinstance(volume, HostPath):
            _host_path(volume)
            return
        for root in self._roots:
            root.mkdir(mode=0o711, parents=True, exist_ok=True)
        path = Path(volume.path)
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        if isinstance(volume, EmptyDir):
            if not path.exists():
                path.mkdir()
                path.chmod(0o777)
                if volume.group is not None:
                    os.chown(path, -1, volume.group)
                    path.chmod(0o2777)  # what is made in it belongs to the group, too
        elif isinstance(volume, Files):
            path.mkdir(mode=0o755, exist_ok=True)
            self._fill(path, volume.files, volume.group)

    def _fill(self, folder: Path, files: tuple[File, ...], group: int | None) -> None:
        current = folder / DATA
        if group is not None:
            files = tuple(replace(file, mode=file.mode | GROUP_READS) for file in files)
        if current.exists() and _content(current) == {file.path: (file.content, file.mode) for file in files}:
            return
        fresh = folder / f"..{self._rng.suffix(10)}"
        fresh.mkdir(mode=0o755)
        for each in files:
            target = fresh / each.path
            target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(each.content)
                if group is not None or each.user is not None:
                    os.fchown(file.fileno(), -1 if each.user is None else each.user, -1 if group is None else group)
            target.chmod(each.mode & 0o777)
        old = os.readlink(current) if current.is_symlink() else ""
        link = folder / f"{fresh.name}.link"
        link.symlink_to(fresh.name)
        os.replace(link, current)
        tops = {each.path.split("/")[0] for each in files}
        for name in tops:
            with contextlib.suppress(FileExistsError):
                (folder / name).symlink_to(f"{DATA}/{name}")
        for entry in folder.iterdir():
            if entry.is_symlink() and entry.name != DATA and entry.name not in tops:
                entry.unlink()
        if old:
            shutil.rmtree(folder / old, ignore_errors=True)


def _content(folder: Path) -> dict[str, tuple[bytes, int]]:
    found = {}
    for below, _, names in os.walk(folder.resolve()):
        for name in names:
            path = Path(below, name)
            found[str(path.relative_to(folder.resolve()))] = (path.read_bytes(), path.stat().st_mode & 0o777)
    return found


def _host_path(volume: HostPath) -> None:
    path = Path(volume.path)
    if volume.type == "DirectoryOrCreate":
        path.mkdir(mode=0o755, parents=True, exist_ok=True)
    elif volume.type == "FileOrCreate" and not path.exists():
        path.touch(mode=0o644)
    wanted = {"Directory": path.is_dir, "File": path.is_file, "DirectoryOrCreate": path.is_dir, "FileOrCreate": path.is_file}
    if volume.type and not wanted[volume.type]():
        kind = "directory" if "Directory" in volume.type else "file"
        words = f'MountVolume.SetUp failed for volume "{volume.name}" : hostPath type check failed: {path} is not a {kind}'
        raise RuntimeFault(words, kind="FailedMount")
