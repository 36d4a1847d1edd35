"""Termination messages: what a container leaves in its `terminationMessagePath`, or its log's last lines, for its status.

    VOLUME_ROOT/UID/containers/NAME/ATTEMPT     an empty file, mounted into that try of the container

Owns the bounds on what is read of them (the kubelet's: 4096 bytes of a file; 80 lines and 2048 bytes of a log). What
a container wrote is shown as text, whatever bytes it was.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from agent.lifecycle import specs
from agent.log_lines import Lines
from agent.logs import tail_start
from agent.runtime.contract import ObservedContainer, ObservedSandbox, State
from common.objects import pod as pods

replace = msgspec.structs.replace
FILE_MOST_BYTES = 4096
LOG_MOST_BYTES = 2048
LOG_MOST_LINES = 80
LOG_READ_BYTES = 256 << 10
FALLBACK = "FallbackToLogsOnError"


class LastWords:
    def __init__(self, volume_root: str, log_root: str) -> None:
        self._volume_root = volume_root
        self._log_root = log_root

    def read(self, pod: pods.Pod, ended: ObservedContainer) -> str:
        """"" when there are none, or they cannot be read."""
        container = pods.container_of(pod.spec, ended.name)
        if container is None:
            return ""
        said = _head(specs.last_words(self._volume_root, pod, container.name, ended.attempt))
        if not said and ended.exit_code and container.termination_message_policy == FALLBACK:
            folder = Path(specs.log_directory(pod, self._log_root))
            said = _tail(folder / specs.log_path(ended.name, ended.attempt))
        return said.decode(errors="replace")


class PodWords:
    """Of one pod's containers, each read once."""

    def __init__(self, words: LastWords | None) -> None:
        self._words = words
        self._known: dict[str, str] = {}

    def heard(self, pod: pods.Pod, observed: list[ObservedSandbox]) -> list[ObservedSandbox]:
        """What is observed, with the last words of what has ended."""
        if self._words is None:
            return observed
        ended = {c.id: c for s in observed for c in s.containers if c.state is State.EXITED}
        self._known = {i: self._known[i] if i in self._known else self._words.read(pod, c) for i, c in ended.items()}
        return [replace(s, containers=tuple(self._with(c) for c in s.containers)) for s in observed] if ended else observed

    def _with(self, container: ObservedContainer) -> ObservedContainer:
        said = self._known.get(container.id)
        return replace(container, message=said) if said else container


def _head(path: str) -> bytes:
    try:
        # A container may have put anything under its file's name, as long as the mount holds: only a plain file is read.
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            return file.read(FILE_MOST_BYTES)
    except OSError:
        return b""


def _tail(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(tail_start(file, LOG_MOST_LINES))
            return Lines(False, None).feed(file.read(LOG_READ_BYTES))[-LOG_MOST_BYTES:]
    except OSError:
        return b""
