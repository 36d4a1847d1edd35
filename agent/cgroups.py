"""The pods' own cgroups on a host: taken away with the last of the pod.

The runtime makes a pod's cgroup with its first container and removes it with its last sandbox; but an agent may have been killed between
that and this. So whoever ends a pod sees to it once more. Hollow hosts have none.
"""

from __future__ import annotations

from agent.runtime import cgroup_use, labels


class PodCgroups:
    def __init__(self, root: str) -> None:
        self._root = root

    def processes(self, uid: str) -> int:
        """Of a pod, threads included."""
        return cgroup_use.processes(f"{self._root}/pod{uid}")

    def discard(self, uid: str) -> None:
        """What is in use stays. Idempotent; never raises."""
        if uid and "/" not in uid:
            labels.remove_cgroup(f"{self._root}/pod{uid}")
