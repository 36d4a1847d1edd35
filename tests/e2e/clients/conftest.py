"""A fresh master with two hollow hosts for each kubectl, and tests that run with all of them at the same time.

    @with_every_kubectl
    def test_edit(client: Client) -> None: ...

runs once for each version, each against its own cluster; it fails with what any of them met, which says with which version. Tests run one
after the other, so names are a test's own, and what several of them need is made by the first that asks (`Client.once`). Most of the time
goes into the kubectls themselves and into waiting, which is why the versions run side by side.

`--kubectl 1.27,1.33` leaves the other versions out. What these tests do is what docs/compat.md says; see tests/e2e/compat.py.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.e2e import compat
from tests.e2e.conftest import ROOT, kubectl_binary
from tests.e2e.kmaster import Kmaster, Kubectl

T = TypeVar("T")

VERSIONS = ("1.27", "1.28", "1.29", "1.30", "1.31", "1.32", "1.33")
"""Up to 1.28 kubectl checks what it sends against OpenAPI v2; up to 1.31 it speaks JSON alone, from 1.32 on protobuf too."""
NAMESPACE = "shop"
HOSTS = ("host-0", "host-1")
FLAGS = ("--usage-s", "2")
SHORT_LIVED = {"GOGC": "off", "GOMAXPROCS": "1"}
"""A kubectl that collects no garbage takes a quarter less of CPU, and thousands are run here."""
DEADLINE_S = 60.0
STEP_S = 0.1


class Counted(Kubectl):
    """Keeps a list of what it was asked for, which its copies share."""

    commands: list[tuple[str, ...]]

    def command(self, args: Sequence[str]) -> list[str]:
        self.commands.append(tuple(args))
        return super().command(args)


class Client:
    """kubectl: the administrator's, in the namespace `shop`. folder: for files, its own."""

    def __init__(self, version: str, folder: Path, kubectl: Counted, stack: contextlib.ExitStack) -> None:
        self.version = version
        self.folder = folder
        self.kubectl = kubectl
        self.commands = kubectl.commands
        self._stack = stack
        self._made: dict[object, Any] = {}

    @property
    def minor(self) -> int:
        return int(self.version.partition(".")[2])

    def once(self, make: Callable[[Client], T]) -> T:
        """What `make` makes of this client, made when first asked for; who asks again for what failed is told so at once."""
        if make not in self._made:
            self._made[make] = None
            self._made[make] = make(self)
        assert self._made[make] is not None, f"{make.__name__} failed before"
        return self._made[make]

    def enter(self, context: contextlib.AbstractContextManager[T]) -> T:
        """To be left when all tests have run."""
        return self._stack.enter_context(context)

    def new_folder(self, name: str) -> Path:
        (self.folder / name).mkdir()
        return self.folder / name


Scenario = Callable[[Client], None]


class Clients:
    """Those whose kubectl is on this machine."""

    def __init__(self, clients: Sequence[Client]) -> None:
        self._clients = {client.version: client for client in clients}

    def of(self, version: str) -> Client:
        """Skips the test when it is not there."""
        if version not in self._clients:
            pytest.skip(f"there is no kubectl {version} here, or --kubectl leaves it out")
        return self._clients[version]

    def run(self, scenario: Scenario) -> None:
        """With all at the same time. Raises what went wrong, with the version in a note."""
        if not self._clients:
            pytest.skip("there is no kubectl here: script/test fetches it")
        with ThreadPoolExecutor(len(self._clients)) as pool:
            ended = list(pool.map(lambda client: _outcome(scenario, client), self._clients.values()))
        errors = [error for error in ended if error is not None]
        if len(errors) == 1:
            raise errors[0]
        if errors:
            raise ExceptionGroup(f"{len(errors)} of {len(ended)} kubectls failed", errors)


def _outcome(scenario: Scenario, client: Client) -> Exception | None:
    try:
        scenario(client)
    except Exception as error:
        error.add_note(f"with kubectl {client.version}")
        return error
    return None


def with_every_kubectl(scenario: Scenario) -> Callable[[Clients], None]:
    """The test that runs it so."""

    def test(clients: Clients) -> None:
        clients.run(scenario)

    test.__name__, test.__qualname__, test.__doc__ = scenario.__name__, scenario.__qualname__, scenario.__doc__
    return test


def until(holds: Callable[[], bool], what: str) -> None:
    pause, deadline = threading.Event(), time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline, f"{what}: not within {DEADLINE_S:g} s"
        pause.wait(STEP_S)


@pytest.fixture(scope="session")
def clients(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    chosen = request.config.getoption("--kubectl").split(",")
    binaries = {version: kubectl_binary(version) for version in VERSIONS if version in chosen or chosen == [""]}
    folders = {version: tmp_path_factory.mktemp(f"kubectl-{version}") for version, binary in binaries.items() if binary is not None}
    with contextlib.ExitStack() as stack:
        masters = {version: Kmaster(folder, FLAGS) for version, folder in folders.items()}
        for master in masters.values():
            stack.callback(master.ensure_gone)
            compat.RECORD.follow(master.log)
        with compat.logged(), ThreadPoolExecutor() as pool:
            list(pool.map(Kmaster.start, masters.values()))
            agents = list(pool.map(_start_hosts, masters.values()))
        for agent in agents:
            stack.callback(_end, agent)
        made = []
        for version, master in masters.items():
            kubectl = Counted(binaries[version] or Path(), master, namespace=NAMESPACE, home=folders[version]).having(**SHORT_LIVED)
            kubectl.commands = []
            kubectl("create", "namespace", NAMESPACE)
            made.append(Client(version, folders[version], kubectl, stack))
        for client in made:
            until(lambda kubectl=client.kubectl: kubectl("get", "nodes").count(" Ready") == len(HOSTS), "two ready nodes")
        yield Clients(made)


def _start_hosts(master: Kmaster) -> subprocess.Popen[bytes]:
    """One process that plays both hosts, containers only in its memory."""
    token = ["ctl", "--config", str(master.folder / "data" / "kctl.json"), "token", "create", "--ttl", "10m"]
    join = subprocess.run([sys.executable, "-m", *token], cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE_S, check=True)
    play = ["agent", "run", "--data-dir", str(master.folder / "hosts"), "--hollow", str(len(HOSTS)), "--node-name", "host"]
    environment = {**os.environ, "KAGENT_JOIN": join.stdout.strip().splitlines()[-1]}
    with (master.folder / "kagent.log").open("ab") as log:
        return subprocess.Popen([sys.executable, "-m", *play], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def _end(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait(10)
