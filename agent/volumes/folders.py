"""Volumes as folders of the host: made, filled, brought up to date, removed.

A volume of files has Kubernetes' own layout, so that a change reaches a running container at once and whole:

    color -> ..data/color          ..data -> ..2026…          ..2026…/color

Files are written beside and `..data` is moved to them with one rename. Nothing outside the two roots is ever removed.

A part of a volume that a container mounts (`subPath`) is found by the kernel without leaving the volume, opened, and bound from the
descriptor to `UID/volume-subpaths/…`: by then no symbolic link can lead elsewhere. Subtle: a pod's mounts go before its folders are
removed, or what they show would be removed.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import stat
from pathlib import Path

import msgspec

from agent.lifecycle.volumes import SUBPATHS, EmptyDir, File, Files, HostPath, Local, Volume
from agent.runtime.contract import ContainerSpec, HostFile, RuntimeFault, SubPath
from agent.volumes import mounts
from common.clock import Rng

log = logging.getLogger(__name__)

replace = msgspec.structs.replace

DATA, VOLUMES = "..data", "volumes"
HOST_PATH_TYPES = {
    "Directory": (Path.is_dir, "directory"), "DirectoryOrCreate": (Path.is_dir, "directory"), "File": (Path.is_file, "file"),
    "FileOrCreate": (Path.is_file, "file"), "Socket": (Path.is_socket, "socket file"),
    "CharDevice": (Path.is_char_device, "character device"), "BlockDevice": (Path.is_block_device, "block device"),
}  # fmt: skip
FILE_MODE, FOLDER_MODE = 0o660, 0o2770
"""What the kubelet adds to the modes of a group's own volume."""
GROUP_READS = 0o440
"""What the kubelet adds to the mode of files that belong to a pod's fsGroup."""


MEMORY = ("tmpfs", "ramfs")


def keep_in_memory(folder: str) -> None:
    """See to it that what lies there never reaches a disk. Raises OSError."""
    os.makedirs(folder, mode=0o711, exist_ok=True)
    real = os.path.realpath(folder)
    if mounts.filesystem(real) not in MEMORY:
        mounts.tmpfs(real, 0)
        log.info("memory-mounted path=%s", real)


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

    def prepare_subpaths(self, container: ContainerSpec) -> None:
        for part in container.subpaths:
            try:
                _bind_part(part)
            except OSError as error:
                log.warning("subpath-refused volume=%s path=%r why=%s", part.volume, part.path, error.strerror)
                words = f'failed to prepare subPath for volumeMount "{part.name}" of container "{container.name}"'
                raise RuntimeFault(words, kind="CreateContainerConfigError") from None

    def release(self, uid: str) -> None:
        for part in (SUBPATHS, VOLUMES):  # a part may be of a volume: its mount goes first
            self._remove(uid, part)

    def discard(self, uid: str) -> None:
        self._remove(uid)

    def _remove(self, uid: str, *part: str) -> None:
        if not uid or "/" in uid or uid.startswith("."):
            return
        for root in self._roots:
            folder = root.joinpath(uid, *part)
            if folder.is_dir() and _unmounted(folder):
                shutil.rmtree(folder, onerror=lambda _, path, info: log.warning("volume-left path=%s why=%s", path, info[1]))

    def _make(self, volume: Volume) -> None:
        if isinstance(volume, HostPath):
            _host_path(volume)
            return
        if isinstance(volume, Local):
            _local(volume)
            return
        for root in self._roots:
            root.mkdir(mode=0o711, parents=True, exist_ok=True)
        path = Path(volume.path)
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        if isinstance(volume, EmptyDir):
            # What an agent before this one kept in a plain folder stays there.
            if not path.exists() or (volume.in_memory and not path.is_mount() and not any(path.iterdir())):
                path.mkdir(exist_ok=True)
                if volume.in_memory:
                    mounts.tmpfs(str(path), volume.size_bytes)
                path.chmod(0o777)
                if volume.group is not None:
                    os.chown(path, -1, volume.group)
                    path.chmod(0o2777)  # what is made in it belongs to the group, too
        elif isinstance(volume, Files):
            path.mkdir(mode=0o755, exist_ok=True)
            self._fill(path, volume.files, volume.group)

    def _fill(self, folder: Path, files: tuple[File, ...], group: int | None) -> None:
        """Each step looks at what is there, so that what an agent left half done when it was killed is finished or taken away."""
        current = folder / DATA
        if group is not None:
            files = tuple(replace(file, mode=file.mode | GROUP_READS) for file in files)
        if not current.exists() or _content(current) != {file.path: (file.content, file.mode) for file in files}:
            self._replace(folder, files, group)
        # Also when nothing changed: whoever replaced it last may have been killed before it came to this.
        tops = {each.path.split("/")[0] for each in files}
        for name in tops:
            with contextlib.suppress(FileExistsError):
                (folder / name).symlink_to(f"{DATA}/{name}")
        kept = {DATA, os.readlink(current), *tops}
        for entry in folder.iterdir():
            if entry.name in kept:
                continue
            if entry.is_symlink():
                entry.unlink()
            elif entry.name.startswith(".."):
                shutil.rmtree(entry, ignore_errors=True)

    def _replace(self, folder: Path, files: tuple[File, ...], group: int | None) -> None:
        """All of it with one rename."""
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
        link = folder / f"{fresh.name}.link"
        link.symlink_to(fresh.name)
        os.replace(link, folder / DATA)



def _content(folder: Path) -> dict[str, tuple[bytes, int]]:
    found = {}
    for below, _, names in os.walk(folder.resolve()):
        for name in names:
            path = Path(below, name)
            found[str(path.relative_to(folder.resolve()))] = (path.read_bytes(), path.stat().st_mode & 0o777)
    return found


def _bind_part(part: SubPath) -> None:
    """Raises OSError."""
    volume = os.open(part.volume, os.O_PATH | os.O_CLOEXEC)
    try:
        found = mounts.make_beneath(volume, part.path)
    finally:
        os.close(volume)
    try:
        target = Path(part.target)
        for mounted in mounts.below(part.target):  # of the try before
            mounts.unmount(mounted)
        target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        is_folder = stat.S_ISDIR(os.fstat(found).st_mode)
        if target.exists() and target.is_dir() != is_folder:
            target.rmdir() if target.is_dir() else target.unlink()
        if is_folder:
            target.mkdir(exist_ok=True)
        else:
            target.touch()
        mounts.bind(found, part.target)
    finally:
        os.close(found)


def _unmounted(folder: Path) -> bool:
    """Whether no mount is left in it."""
    for mounted in mounts.below(str(folder)):
        try:
            mounts.unmount(mounted)
        except OSError as error:
            log.error("volume-left path=%s why=%s", mounted, error.strerror)
            return False
    return True


def _local(volume: Local) -> None:
    path = Path(volume.path)
    if volume.made and not path.exists():
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        path.mkdir()
        path.chmod(0o777)
    if not path.exists():
        words = f'MountVolume.NewMounter initialization failed for volume "{volume.volume}" : path "{path}" does not exist'
        raise RuntimeFault(words, kind="FailedMount")
    if volume.group is not None:
        _give(path, volume.group, lazily=volume.lazily)


def _give(root: Path, group: int, *, lazily: bool) -> None:
    """To the group, all of it, as the kubelet does: it may read and write, and what is made in a folder is its, too."""
    now = root.stat()
    if lazily and now.st_gid == group and now.st_mode & FOLDER_MODE == FOLDER_MODE:
        return
    for below, folders, names in os.walk(root):
        for name in names:
            _give_one(os.path.join(below, name), group, FILE_MODE)
        for name in folders:
            _give_one(os.path.join(below, name), group, FOLDER_MODE)
    _give_one(str(root), group, FOLDER_MODE)  # last, so that it tells that all below it is done


def _give_one(path: str, group: int, mode: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        now = os.lstat(path)
        os.lchown(path, -1, group)
        if not stat.S_ISLNK(now.st_mode):
            os.chmod(path, stat.S_IMODE(now.st_mode) | mode)


def _host_path(volume: HostPath) -> None:
    path = Path(volume.path)
    if volume.type == "DirectoryOrCreate":
        path.mkdir(mode=0o755, parents=True, exist_ok=True)
    elif volume.type == "FileOrCreate" and not path.exists():
        path.touch(mode=0o644)
    if not volume.type:
        # Nothing is checked; what is missing is made, as containerd would do and Docker would not.
        if not os.path.lexists(path):
            path.mkdir(mode=0o755, parents=True)
        return
    is_right, kind = HOST_PATH_TYPES[volume.type]
    if not is_right(path):
        words = f'MountVolume.SetUp failed for volume "{volume.name}" : hostPath type check failed: {path} is not a {kind}'
        raise RuntimeFault(words, kind="FailedMount")
