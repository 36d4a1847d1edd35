"""The pods' own cgroups on a host: made first if there is a limit that all of a pod shares, taken away with the last of the pod.

The runtime makes a pod's cgroup with its first container and removes it with its last sandbox; but an agent may have been killed between
that and this. So whoever ends a pod sees to it once more. Hollow hosts have none.
"""

from __future__ import annotations

from pathlib import Path

from agent.runtime import cgroup_use, labels


class PodCgroups:
    """max_pids: how many processes and threads a pod may have at once, as the kubelet's `podPidsLimit`; 0 for no limit."""

    def __init__(self, root: str, *, max_pids: int = 0, mount: Path = labels.CGROUPS) -> None:
        self._root = root
        self._max_pids = max_pids
        self._mount = mount

    def prepare(self, uid: str) -> None:
        """Before anything of the pod runs. Idempotent. Raises OSError."""
        if not self._max_pids or not uid or "/" in uid:
            return
        unified = not (self._mount / "pids").is_dir()
        folder = self._mount if unified else self._mount / "pids"
        for name in f"{self._root}/pod{uid}".strip("/").split("/"):
            if unified and "pids" not in (folder / "cgroup.subtree_control").read_text().split():
                (folder / "cgroup.subtree_control").write_text("+pids")
            folder /= name
            folder.mkdir(exist_ok=True)
        (folder / "pids.max").write_text(str(self._max_pids))

    def processes(self, uid: str) -> int:
        """Of a pod, threads included."""
        return cgroup_use.processes(f"{self._root}/pod{uid}", self._mount)

    def discard(self, uid: str) -> None:
        """What is in use stays. Idempotent; never raises."""
        if uid and "/" not in uid:
            labels.remove_cgroup(f"{self._root}/pod{uid}")
