"""exec, attach, cp and port-forward with each kubectl and with the Python client, on real containers."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lab.contract import Lab
from tests.e2e.conftest import NEWEST, Kubectl, kubectl_path
from tests.e2e.test_workloads import BUSYBOX

VERSIONS = ("1.29", "1.33")
OLDER = ("1.27", "1.28", "1.30", "1.31", "1.32")
DEADLINE_S = 30.0
NAMESPACE = f"streams-{os.getpid()}"
CP_BYTES, CP_LONG_BYTES = 20 << 20, 200 << 20
CONNECTIONS = 100
SERVE = "mkdir /w; echo hello >/w/index.html; head -c 3000000 /dev/zero >/w/big; httpd -p 8080 -h /w; exec cat"


class Shell:
    """A pod that waits, with a web server on 8080 and `cat` on its stdin; and kubectl of one version."""

    def __init__(self, lab: Lab, version: str) -> None:
        self.version = version
        self.lab = lab
        self.env = {**os.environ, "KUBECONFIG": str(lab.kubeconfig), "HOME": str(lab.kubeconfig.parent)}

    def command(self, *args: str) -> list[str]:
        return [str(kubectl_path(self.version)), "-n", NAMESPACE, *args]

    def run(self, *args: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(self.command(*args), env=self.env, input=stdin, capture_output=True, timeout=120)


@contextmanager
def waiting_pod(lab: Lab, kubectl: Kubectl) -> Iterator[Lab]:
    container = {"name": "main", "image": BUSYBOX, "command": ["sh", "-c", SERVE], "stdin": True}
    stays = [{"operator": "Exists", "effect": "NoExecute"}]  # it is not moved while a test has its host's agent stopped
    documents: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": NAMESPACE}, "spec": {
            "terminationGracePeriodSeconds": 1, "tolerations": stays,
            "containers": [container, {**container, "name": "side", "command": ["sleep", "3600"]}]}},
    ]  # fmt: skip
    made = kubectl(lab, "apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": documents}))
    assert made.returncode == 0, made.stderr
    ready = kubectl(lab, "-n", NAMESPACE, "wait", "--for=condition=Ready", "pod/web", "--timeout=40s")
    assert ready.returncode == 0, ready.stderr
    yield lab
    kubectl(lab, "delete", "namespace", NAMESPACE, "--wait=false")


@pytest.fixture(scope="module")
def pod(running: tuple[str, Lab], kubectl: Kubectl) -> Iterator[Lab]:
    with waiting_pod(running[1], kubectl) as lab:
        yield lab


@pytest.fixture(params=[*VERSIONS, *(pytest.param(version, marks=pytest.mark.long) for version in OLDER)])
def shell(pod: Lab, request: pytest.FixtureRequest) -> Shell:
    return Shell(pod, request.param)


@pytest.fixture
def newest(pod: Lab) -> Shell:
    return Shell(pod, NEWEST)


def until(condition: Callable[[], object], what: str) -> None:
    pause, deadline = threading.Event(), time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited {DEADLINE_S:g} s for {what}"
        pause.wait(0.05)


# exec.


@pytest.mark.real
@pytest.mark.also("docker")
def test_outputs_stay_apart_and_the_exit_code_is_kubectls(shell: Shell) -> None:
    ended = shell.run("exec", "web", "-c", "main", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (ended.returncode, ended.stdout) == (7, b"out\n") and ended.stderr.startswith(b"err\n")
    assert shell.run("exec", "web", "--", "true").returncode == 0


@pytest.mark.real
def test_stdin_ends_and_the_command_goes_on(shell: Shell) -> None:
    payload = os.urandom(1_500_000)
    ended = shell.run("exec", "-i", "web", "-c", "main", "--", "sh", "-c", "md5sum; echo after", stdin=payload)
    assert ended.stdout.decode().split() == [hashlib.md5(payload).hexdigest(), "-", "after"]
    assert ended.returncode == 0, ended.stderr


@pytest.mark.real
def test_what_cannot_be_run_is_said(shell: Shell) -> None:
    for args, words in (
        (("exec", "web", "-c", "main", "--", "nonesuch"), "executable file not found"),
        (("exec", "web", "-c", "other", "--", "ls"), "container other is not valid for pod web"),
        (("exec", "nopod", "--", "ls"), 'pods "nopod" not found'),
    ):
        ended = shell.run(*args)
        # Docker says on stdout that a command is not there, as it does to its own clients.
        assert ended.returncode != 0 and words in (ended.stderr + ended.stdout).decode(), (args, ended)


class Terminal:
    """kubectl on a terminal of a given size."""

    def __init__(self, command: list[str], env: dict[str, str]) -> None:
        self._own, other = pty.openpty()
        self.size(33, 101)
        self.child = subprocess.Popen(command, stdin=other, stdout=other, stderr=other, env=env, start_new_session=True)
        os.close(other)
        self.seen = ""

    def size(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self._own, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text: str) -> None:
        os.write(self._own, text.encode())

    def until(self, pattern: str) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not re.search(pattern, self.seen):
            assert time.monotonic() < deadline, f"waited for {pattern!r} in {self.seen!r}"
            if select.select([self._own], [], [], 0.2)[0]:
                try:
                    self.seen += os.read(self._own, 4096).decode("utf-8", "replace")
                except OSError:
                    break  # its other end was closed

    def end(self) -> int:
        try:
            return self.child.wait(timeout=DEADLINE_S)
        finally:
            if self.child.poll() is None:
                self.child.kill()
            os.close(self._own)


@pytest.mark.real
def test_a_terminal_has_a_size_which_follows_the_window_and_ends_with_its_code(shell: Shell) -> None:
    # Without `stty` there is nobody to say when a size has arrived: the shell asks until it has.
    asks = "until stty size | grep -q '%s'; do sleep 0.1; done; echo it-is-%s"
    terminal = Terminal(shell.command("exec", "-it", "web", "-c", "main", "--", "sh"), shell.env)
    terminal.type(asks % ("33 101", "o''ld") + "\n")
    terminal.until("it-is-old")
    terminal.size(20, 60)
    terminal.child.send_signal(signal.SIGWINCH)  # it has a session of its own, whose terminal this is not
    terminal.type(asks % ("20 60", "n''ew") + "\n")
    terminal.until("it-is-new")
    terminal.type("exit 5\n")
    assert terminal.end() == 5, terminal.seen


# attach.


@pytest.mark.real
def test_attach_speaks_with_the_containers_own_process(shell: Shell) -> None:
    word = f"word-{shell.version}"
    child = subprocess.Popen(
        shell.command("attach", "-i", "web", "-c", "main"), env=shell.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    assert child.stdin is not None and child.stdout is not None
    try:
        child.stdin.write(f"{word}\n".encode())
        child.stdin.flush()
        assert select.select([child.stdout], [], [], DEADLINE_S)[0]
        assert child.stdout.readline().decode() == f"{word}\n"
    finally:
        child.kill()
        child.communicate(timeout=10)
    assert word in shell.run("logs", "web", "-c", "main").stdout.decode()


# cp.


def _copied(shell: Shell, folder: Path, size: int) -> None:
    there, back = folder / "there", folder / "back"
    block = os.urandom(1 << 20)
    with there.open("wb") as file:
        for number in range(size >> 20):
            file.write(number.to_bytes(4, "big") + block[4:])
    for args in ((str(there), "web:/tmp/copied", "-c", "main"), ("web:/tmp/copied", str(back), "-c", "main")):
        ended = shell.run("cp", *args)
        assert ended.returncode == 0, ended.stderr
    with there.open("rb") as sent, back.open("rb") as got:
        assert hashlib.file_digest(sent, "sha256").digest() == hashlib.file_digest(got, "sha256").digest()
    shell.run("exec", "web", "-c", "main", "--", "rm", "/tmp/copied")


@pytest.mark.real
def test_a_file_is_copied_there_and_back(shell: Shell, tmp_path: Path) -> None:
    _copied(shell, tmp_path, CP_BYTES)


@pytest.mark.real
@pytest.mark.long
def test_200_mb_are_copied_there_and_back(shell: Shell, tmp_path: Path) -> None:
    _copied(shell, tmp_path, CP_LONG_BYTES)


# port-forward.


@contextmanager
def forwarded(shell: Shell, *ports: str) -> Iterator[tuple[list[int], Path]]:
    """kubectl port-forward in the background: the local ports, and its error output."""
    words = shell.lab.kubeconfig.parent / f"forward-{shell.version}.err"
    with words.open("wb") as errors:
        child = subprocess.Popen(
            shell.command("port-forward", "pod/web", *ports), env=shell.env, stdout=subprocess.PIPE, stderr=errors, text=True
        )
        try:
            assert child.stdout is not None
            found: list[int] = []
            while len(found) < len(ports):
                assert select.select([child.stdout], [], [], DEADLINE_S)[0], words.read_text()
                line = child.stdout.readline()
                assert line, words.read_text()
                if (said := re.search(r"127\.0\.0\.1:(\d+) ->", line)) is not None:
                    found.append(int(said[1]))
            threading.Thread(target=child.stdout.read, daemon=True).start()
            yield found, words
        finally:
            child.kill()
            child.wait(timeout=10)
            words.unlink()


def fetch(port: int, path: str = "/") -> bytes:
    """The body of an HTTP answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S) as wire:
        wire.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        got = b""
        while data := wire.recv(65536):
            got += data
    return got.partition(b"\r\n\r\n")[2]


@pytest.mark.real
@pytest.mark.also("docker")
def test_many_connections_go_through_a_forwarded_port(shell: Shell) -> None:
    with forwarded(shell, ":8080") as ((port,), _):
        assert len(fetch(port, "/big")) == 3_000_000
        got: list[bytes] = []
        threads = [threading.Thread(target=lambda: got.append(fetch(port))) for _ in range(CONNECTIONS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE_S)
        assert got == [b"hello\n"] * CONNECTIONS


@pytest.mark.real
def test_a_port_where_nobody_listens_is_said(shell: Shell) -> None:
    with forwarded(shell, ":81") as ((port,), words):
        try:
            assert fetch(port) == b""
        except ConnectionError:
            pass
        until(lambda: b"connection refused" in words.read_bytes(), "the refusal")
        assert "error forwarding port 81 to pod web" in words.read_text()


# The Python client.


@pytest.mark.real
def test_the_python_client_execs_and_forwards(pod: Lab) -> None:
    from kubernetes import client, config
    from kubernetes.stream import portforward, stream

    with config.new_client_from_config(str(pod.kubeconfig)) as api:
        core = client.CoreV1Api(api)
        command = ["sh", "-c", "read x; echo got $x; echo err >&2; exit 4"]
        session = stream(
            core.connect_get_namespaced_pod_exec, "web", NAMESPACE, container="main", command=command, stdin=True, stdout=True,
            stderr=True, tty=False, _preload_content=False,
        )  # fmt: skip
        session.write_stdin("word\n")
        session.run_forever(timeout=DEADLINE_S)
        assert (session.read_stdout(), session.read_stderr(), session.returncode) == ("got word\n", "err\n", 4)
    with config.new_client_from_config(str(pod.kubeconfig)) as api:
        ports = portforward(client.CoreV1Api(api).connect_get_namespaced_pod_portforward, "web", NAMESPACE, ports="8080,81")
        wire = ports.socket(8080)
        wire.setblocking(True)
        wire.sendall(b"GET / HTTP/1.0\r\n\r\n")
        got = b""
        while data := wire.recv(65536):
            got += data
        assert got.endswith(b"\r\n\r\nhello\n") and ports.error(8080) is None
        until(lambda: ports.error(81), "the refusal of port 81")


# Faults.


def _open_sockets(lab: Lab) -> dict[str, int]:
    """How many sockets each agent and the master hold."""
    state = json.loads((lab.kubeconfig.parent / "state.json").read_text())
    found = {}
    for host in state["hosts"]:
        for name in host["services"].keys() & {"kagent", "kmaster"}:
            folder = Path(f"/proc/{host['services'][name]['pid']}/fd")
            found[host["name"]] = sum(os.path.lexists(link) and os.readlink(link).startswith("socket:") for link in folder.iterdir())
    return found


def _cats(shell: Shell) -> int:
    listed = shell.run("exec", "web", "-c", "main", "--", "ps").stdout.decode().splitlines()
    return sum(line.rstrip().endswith(" cat") for line in listed)


@pytest.mark.real
def test_clients_that_vanish_leave_nothing_open(newest: Shell) -> None:
    own = _cats(newest)
    before = _open_sockets(newest.lab)
    assert len(before) == 3, before
    children = [
        subprocess.Popen(newest.command("exec", "-i", "web", "-c", "main", "--", "cat"), env=newest.env, stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        for _ in range(6)
    ]  # fmt: skip
    for child in children:
        assert child.stdin is not None and child.stdout is not None
        child.stdin.write(b"there\n")
        child.stdin.flush()
        assert child.stdout.readline() == b"there\n"
    assert sum(_open_sockets(newest.lab).values()) >= sum(before.values()) + 2 * len(children)
    assert _cats(newest) == own + len(children)
    for child in children:
        child.kill()
        child.communicate(timeout=10)
    until(lambda: all(count <= before[host] for host, count in _open_sockets(newest.lab).items()), "the sockets to be closed")
    until(lambda: _cats(newest) == own, "the commands to end, as their stdin has")


@pytest.mark.real
def test_a_pod_that_is_deleted_ends_what_runs_in_it_and_its_clients(newest: Shell) -> None:
    newest.run("run", "doomed", f"--image={BUSYBOX}", "--restart=Never", "--", "sleep", "3600")
    assert newest.run("wait", "--for=condition=Ready", "pod/doomed", "--timeout=40s").returncode == 0
    child = subprocess.Popen(
        newest.command("exec", "doomed", "--", "sh", "-c", "echo begun; sleep 3600"), env=newest.env, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert child.stdout is not None and child.stdout.readline() == b"begun\n"
    assert newest.run("delete", "pod", "doomed", "--grace-period=1").returncode == 0
    assert child.wait(timeout=DEADLINE_S) == 137, child.communicate(timeout=10)
    child.communicate(timeout=10)


@pytest.mark.real
def test_an_agent_that_dies_ends_its_streams_and_serves_new_ones_when_it_is_back(newest: Shell) -> None:
    host = json.loads(newest.run("get", "pod", "web", "-o", "json").stdout)["spec"]["nodeName"]
    child = subprocess.Popen(
        newest.command("exec", "-i", "web", "-c", "main", "--", "cat"), env=newest.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    assert child.stdin is not None and child.stdout is not None
    child.stdin.write(b"begun\n")
    child.stdin.flush()
    assert child.stdout.readline() == b"begun\n"
    newest.lab.stop(host, "kagent")
    try:
        _, words = child.communicate(timeout=DEADLINE_S)
        assert child.returncode == 1 and f"the connection to node {host} was lost" in words.decode()
    finally:
        newest.lab.start(host, "kagent")
    until(lambda: newest.run("exec", "web", "-c", "main", "--", "true").returncode == 0, "the agent to be back")


LOOK = ("-i", f"--image={BUSYBOX}", "--", "sh", "-c", "read word; cat /proc/[0-9]*/cmdline | tr '\\0' ' '; echo $word; sleep 60")
"""What `kubectl debug` runs: it says which processes it sees when it was told a word."""


def heard(shell: Shell, *args: str, word: str, last: str) -> str:
    """What comes until a line ends with `last`, after that word was typed. The input stays open: with its end kubectl leaves."""
    with subprocess.Popen(shell.command(*args), env=shell.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        assert child.stdin is not None and child.stdout is not None
        late = threading.Timer(2 * DEADLINE_S, child.kill)
        late.start()
        child.stdin.write(f"{word}\n".encode())
        child.stdin.flush()
        lines = []
        for line in child.stdout:
            lines.append(line.decode())
            if line.endswith(f"{last}\n".encode()):
                break
        late.cancel()
        child.kill()
    return "".join(lines)


@pytest.mark.real
@pytest.mark.also("docker")
def test_debug_gets_into_a_pod_and_its_node(newest: Shell) -> None:
    assert "sleep 3600" in heard(newest, "debug", "web", "--target=side", *LOOK, word="into", last="into")
    assert "sleep 3600" not in heard(newest, "debug", "web", *LOOK, word="beside", last="beside"), "without a target it sees its own alone"
    assert "agent run" in heard(newest, "debug", "node/host-1", *LOOK, word="onto", last="onto")
    added = json.loads(newest.run("get", "pod", "web", "-o", "json").stdout)["status"]
    assert ["running" in status["state"] for status in added["ephemeralContainerStatuses"]] == [True, True]
    assert all(status["restartCount"] == 0 for status in added["containerStatuses"])


@pytest.mark.real
def test_run_with_a_terminal_attaches_and_ends_with_the_containers_code(newest: Shell) -> None:
    terminal = Terminal(newest.command("run", "-it", "shell", f"--image={BUSYBOX}", "--restart=Never", "--rm", "--", "sh"), newest.env)
    terminal.until("press enter|# ")
    terminal.type("echo typed-$((40+2))\n")
    terminal.until("typed-42")
    terminal.type("exit 6\n")
    assert terminal.end() == 6, terminal.seen


@pytest.mark.real
def test_a_flood_of_output_does_not_cost_the_node_its_heartbeats(newest: Shell) -> None:
    children = [
        subprocess.Popen(newest.command("exec", "web", "-c", "main", "--", "cat", "/dev/zero"), env=newest.env, stdin=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(4)
    ]  # fmt: skip
    stalled = subprocess.Popen(
        newest.command("exec", "web", "-c", "main", "--", "cat", "/dev/zero"), env=newest.env, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 4
        asked = 0
        while time.monotonic() < deadline:
            nodes = json.loads(newest.run("get", "nodes", "-o", "json").stdout)
            for node in nodes["items"]:
                ready = next(c for c in node["status"]["conditions"] if c["type"] == "Ready")
                assert ready["status"] == "True", ready
            asked += 1
        assert asked >= 2
        ended = newest.run("exec", "web", "-c", "side", "--", "echo", "still here")
        assert (ended.returncode, ended.stdout) == (0, b"still here\n"), ended
    finally:
        for child in (*children, stalled):
            child.kill()
            child.wait(timeout=10)


def test_hollow_hosts_say_that_there_is_nothing_to_enter(hollow_lab: Lab, kubectl: Kubectl) -> None:
    with waiting_pod(hollow_lab, kubectl) as lab:
        for version in VERSIONS:
            for args in (("exec", "web", "-c", "main", "--", "ls"), ("attach", "web", "-c", "main")):
                ended = Shell(lab, version).run(*args)
                assert ended.returncode != 0 and "hollow node" in ended.stderr.decode(), ended
