"""A running cluster as the end-to-end tests see it: the real kubectl, kctl, and the lab underneath.

Each test gets a namespace of its own, which is deleted after it; `kubectl` is given that namespace unless the call names one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lab import daemons
from lab.contract import MASTER, Lab

DEADLINE_S = 45.0
STEP_S = 0.1


def manifest(*documents: dict[str, Any]) -> str:
    """Several documents as one List: every kubectl reads it, while a stream of JSON documents is not for all of them."""
    return json.dumps({"kind": "List", "apiVersion": "v1", "items": documents})


class Cluster:
    """kubectl: the path of the binary. namespace: this test's own."""

    def __init__(self, lab: Lab, *, kubectl: Path, kctl_config: Path, runtime: str, namespace: str) -> None:
        self.lab = lab
        self.runtime = runtime
        self.namespace = namespace
        self._binary = kubectl
        self._kctl_config = kctl_config
        self._env = {**os.environ, "KUBECONFIG": str(lab.kubeconfig), "HOME": str(lab.kubeconfig.parent)}

    def _command(self, args: tuple[str, ...]) -> list[str]:
        words = [str(self._binary), *args]
        if not {"-n", "-A", "--namespace", "--all-namespaces"} & set(args):
            words[1:1] = ["-n", self.namespace]
        return words

    def kubectl(self, *args: str, stdin: str | None = None, check: bool = True, timeout_s: float = 90.0) -> str:
        """Standard output, or with check=False both outputs, of a kubectl command."""
        result = subprocess.run(
            self._command(args), input=stdin, capture_output=True, text=True, env=self._env, timeout=timeout_s,
            stdin=subprocess.DEVNULL if stdin is None else None,
        )  # fmt: skip
        if check:
            assert result.returncode == 0, f"kubectl {' '.join(args)}: {result.stderr}{result.stdout}\n{self._state()}"
            return result.stdout
        return result.stdout + result.stderr

    def _state(self) -> str:
        look = [str(self._binary), "get", "nodes,pods", "-A", "-o", "wide"]
        return subprocess.run(look, capture_output=True, text=True, env=self._env, timeout=30, stdin=subprocess.DEVNULL).stdout

    def json(self, *args: str) -> Any:
        return json.loads(self.kubectl(*args, "-o", "json"))

    def apply(self, *documents: dict[str, Any]) -> None:
        self.kubectl("apply", "-f", "-", stdin=manifest(*documents))

    def kctl(self, *args: str, check: bool = True, timeout_s: float = 90.0) -> str:
        command = [sys.executable, "-m", "ctl", "--config", str(self._kctl_config), *args]
        result = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, stdin=subprocess.DEVNULL)
        if check:
            assert result.returncode == 0, f"kctl {' '.join(args)}: {result.stderr}{result.stdout}"
            return result.stdout
        return result.stdout + result.stderr

    def until(self, condition: Callable[[], object], what: str, *, deadline_s: float = DEADLINE_S) -> float:
        """Wait for a condition; how many seconds it took. Fails with the state of the cluster."""
        began = time.monotonic()
        pause = threading.Event()
        while not condition():
            passed = time.monotonic() - began
            assert passed < deadline_s, f"waited {deadline_s:g} s for {what}\n{self._state()}\n{self.kubectl('events', check=False)}"
            pause.wait(STEP_S)
        return time.monotonic() - began

    def endpoint(self, name: str) -> tuple[str, int]:
        """Where the master listens: name is "api", "agents", "streams" or "native"."""
        state = json.loads((self.lab.kubeconfig.parent / "state.json").read_text())
        master = next(host for host in state["hosts"] if host["name"] == MASTER)
        return master["address"], state["ports"].get(name) or daemons.PORTS[name]

    @contextmanager
    def following(self, *args: str, first: str = "") -> Iterator[Callable[[], str]]:
        """kubectl in the background; the callable waits for its end and gives what it printed. first: the line that shows that it has begun."""
        child = subprocess.Popen(
            self._command(args), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=self._env, stdin=subprocess.DEVNULL
        )

        def output() -> str:
            return child.communicate(timeout=30)[0]

        try:
            if first:
                assert child.stdout is not None and child.stdout.readline().strip() == first
            yield output
        finally:
            if child.poll() is None and sys.exc_info()[0] is not None:
                child.kill()
                child.communicate(timeout=10)
