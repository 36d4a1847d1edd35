"""A real kmaster process for tests that need no agents: started on free ports in a folder of its own, ended by its pid."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from tests.e2e import compat

ROOT = Path(__file__).resolve().parent.parent.parent
START_S = 45.0
STOP_S = 10.0
STEP_S = 0.02


class Kmaster:
    def __init__(self, folder: Path, flags: Sequence[str] = ()) -> None:
        self.folder = folder
        self.kubeconfig = folder / "data" / "admin.kubeconfig"
        self.log = folder / "kmaster.log"
        self._flags = list(flags)
        self._ports = ["0"] * 4
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Started anew, it takes the API port that it had, so that its clients find it again."""
        names = ("--api-port", "--agents-port", "--streams-port", "--native-port")
        ports = [word for pair in zip(names, self._ports, strict=True) for word in pair]
        command = [sys.executable, "-m", "master", "--data-dir", str(self.folder / "data"), "--bind", "127.0.0.1", *ports, *self._flags]
        env = {key: value for key, value in os.environ.items() if not key.startswith("KMASTER_") or key == compat.LEVEL}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._wait_ready()
        self._ports[0] = self.server.rpartition(":")[2]

    def pin_ports(self) -> None:
        """Started anew, it takes all the ports that it has now, kctl's too."""
        config = json.loads((self.folder / "data" / "kctl.json").read_text())
        self._ports[3] = config["endpoint"].rpartition(":")[2]

    @property
    def server(self) -> str:
        words = self.kubeconfig.read_text().split()
        return words[words.index("server:") + 1]

    def _wait_ready(self) -> None:
        pause, deadline = threading.Event(), time.monotonic() + START_S
        context = ssl._create_unverified_context()
        while True:
            assert self._process is not None and self._process.poll() is None, f"kmaster ended: {self.log.read_text()}"
            assert time.monotonic() < deadline, f"kmaster was not ready in {START_S:g} s: {self.log.read_text()}"
            with contextlib.suppress(OSError, ValueError):
                with urllib.request.urlopen(f"{self.server}/readyz", context=context, timeout=2) as answer:
                    if answer.status == 200:
                        return
            pause.wait(STEP_S)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it; its exit code."""
        assert self._process is not None
        self._process.send_signal(number)
        return self._process.wait(STOP_S)

    def ensure_gone(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(STOP_S)


@contextlib.contextmanager
def running(folder: Path, flags: Sequence[str] = ()) -> Iterator[Kmaster]:
    master = Kmaster(folder, flags)
    try:
        master.start()
        yield master
    finally:
        master.ensure_gone()


class Reachable(Protocol):
    """A master as kubectl sees it: a Kmaster, or a lab."""

    @property
    def kubeconfig(self) -> Path: ...


class Kubectl:
    """One kubectl binary against one master, in one namespace unless a call names another."""

    def __init__(self, binary: Path, master: Reachable, *, namespace: str, home: Path) -> None:
        self.binary = binary
        self.namespace = namespace
        self._env = {"PATH": os.environ["PATH"], "HOME": str(home), "KUBECONFIG": str(master.kubeconfig)}

    def having(self, *, namespace: str = "", **env: str) -> Kubectl:
        """The same with other environment variables, or in another namespace."""
        other = copy.copy(self)
        other.namespace, other._env = namespace or self.namespace, {**self._env, **env}
        return other

    def command(self, args: Sequence[str]) -> list[str]:
        scoped = {"-n", "-A", "--namespace", "--all-namespaces"} & set(args) or args[0] == "config"
        return [str(self.binary), *([] if scoped else ["-n", self.namespace]), *args]

    def run(self, *args: str, stdin: str | None = None, timeout_s: float = 30.0) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(args), input=stdin, capture_output=True, text=True, env=self._env, timeout=timeout_s,
            stdin=subprocess.DEVNULL if stdin is None else None,
        )  # fmt: skip

    def __call__(self, *args: str, stdin: str | None = None) -> str:
        """Its standard output; it must succeed."""
        result = self.run(*args, stdin=stdin)
        assert result.returncode == 0, f"kubectl {' '.join(args)}: exit {result.returncode}: {result.stderr}{result.stdout}"
        return result.stdout

    def fails(self, *args: str, stdin: str | None = None, code: int = 1) -> str:
        """What it says on standard error; it must fail with that code."""
        result = self.run(*args, stdin=stdin)
        assert result.returncode == code, f"kubectl {' '.join(args)}: exit {result.returncode}: {result.stderr}{result.stdout}"
        return result.stderr

    def json(self, *args: str, stdin: str | None = None) -> dict:
        return json.loads(self(*args, "-o", "json", stdin=stdin))

    @contextlib.contextmanager
    def watching(self, *args: str) -> Iterator[subprocess.Popen[str]]:
        """A kubectl in the background, ended with the block."""
        child = subprocess.Popen(
            self.command(args), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self._env, stdin=subprocess.DEVNULL
        )
        try:
            yield child
        finally:
            child.kill()
            child.communicate(timeout=10)
