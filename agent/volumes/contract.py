"""The pods' volumes on the host, as the agent wishes them. Implementations: `folders.py`; hollow hosts have none.

What a volume is, is decided in `agent.lifecycle.volumes`; here it is made true, idempotently, and taken away with its pod.
"""

from __future__ import annotations

from typing import Protocol

from agent.lifecycle.volumes import Volume
from agent.runtime.contract import ContainerSpec, HostFile


class Volumes(Protocol):
    def prepare(self, volumes: tuple[Volume, ...]) -> None:
        """Make them, or bring their files up to date; what is so already is not touched. Short, and does not block for long.
        Raises RuntimeFault(kind="FailedMount") with words for people."""

    def prepare_files(self, files: tuple[HostFile, ...]) -> None:
        """Files that containers mount by themselves. Idempotent. Raises OSError."""

    def prepare_subpaths(self, container: ContainerSpec) -> None:
        """The parts of volumes that it mounts, each at its target, anew for each try. Raises RuntimeFault with the kubelet's words, which
        tell nothing of the host."""

    def release(self, uid: str) -> None:
        """The volumes of a pod that has ended; its other files stay. Idempotent; never raises."""

    def discard(self, uid: str) -> None:
        """All volumes of that pod. Idempotent; never raises."""
