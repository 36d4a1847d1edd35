"""The lab itself, by its own commands: it comes, it is idempotent, its faults are what they say, and nothing of it is left."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import boot, cgroups, loopback, net, processes
from lab.client import Api
from lab.contract import Lab, LabFault, LabSettings, Quiet
from lab.processes import Process
from lab.state import State, StateFile, lab_id

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="real containers need root")


def machine() -> set[str]:
    """What this machine has, as far as a lab could leave something on it; a line each."""
    found = {f"namespace {name}" for name in os.listdir(net.NETNS_FOLDER)} if net.NETNS_FOLDER.exists() else set()
    found |= {f"link {name}" for name in os.listdir("/sys/class/net")}
    found |= {f"mount {line.split()[4]}" for line in Path("/proc/self/mountinfo").read_text().splitlines()}
    found |= {f"rule {line}" for line in _lines("nft", "list", "ruleset")}
    found |= {f"route {line}" for line in _lines("ip", "route", "show", "table", "all")}
    for hierarchy in cgroups.hierarchies():
        found |= {f"cgroup {path}" for path, _, _ in os.walk(hierarchy.mount)}
        if hierarchy.version == 2:
            found.add(f"controllers {(hierarchy.mount / 'cgroup.subtree_control').read_text()}")
    found |= {f"folder {path}" for path in boot.OWN_FOLDERS if os.path.isdir(path)}
    return found


def others(line: str, lab_id: str) -> bool:
    """Does it carry the id of another lab? Somebody may have one, and the tests that came before do."""
    return bool(re.search(rf"\bst-?(?!{lab_id})[0-9a-f]{{4}}(-|/|up|$)", line))


def started(folder: Path, lab_id: str) -> set[Process]:
    """All processes of the lab: those in its cgroups, and those that name its folder."""
    pids = {pid for group in cgroups.folders(lab_id) for pid in cgroups.pids(group)}
    pids |= {int(line.split()[0]) for line in _lines("ps", "-eww", "-o", "pid=,args=") if f"{folder}/" in line}
    return {process for pid in pids if (process := processes.named(pid))}


def _lines(*argv: str) -> list[str]:
    return subprocess.run(argv, capture_output=True, text=True, timeout=20).stdout.splitlines()


def kctl(folder: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ctl", "lab", *argv], env={**os.environ, "STEERSMAN_LAB": str(folder)},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=180,
    )  # fmt: skip


def running(lab: Lab) -> dict[tuple[str, str], Process | None]:
    return {(host.name, each.name): processes.named(each.pid) for host in lab.status().hosts for each in host.services}


def pods(lab: Lab) -> dict[str, str]:
    """The example's pods: name to uid."""
    items = Api(lab.kubeconfig).get("/api/v1/namespaces/default/pods")["items"]
    return {item["metadata"]["name"]: item["metadata"]["uid"] for item in items}


@pytest.fixture(scope="class", params=[pytest.param("containerd", marks=needs_root), "hollow"])
def runtime(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="class")
def folder(tmp_path_factory: pytest.TempPathFactory, runtime: str) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp(runtime) / "lab"
    yield folder
    if folder.exists():
        kctl(folder, "down")


@pytest.fixture(scope="class")
def before(folder: Path) -> set[str]:
    return machine()


class TestALab:
    """One lab through its life; the tests follow one another."""

    def test_up_shows_nodes_pods_and_what_to_type_next(self, folder: Path, before: set[str], runtime: str) -> None:
        result = kctl(folder, "up", "--runtime", runtime)
        assert result.returncode == 0, result.stderr
        lines = result.stdout.splitlines()
        assert sum("Ready" in line and line.startswith("  host-") for line in lines) == 2
        web = [line for line in lines if line.startswith("  web-")]
        assert sum("Running" in line for line in web) == 3
        assert all(any(host in line for line in web) for host in ("host-1", "host-2"))
        assert f"  export KUBECONFIG={folder}/kubeconfig" in lines
        assert (folder / "kubeconfig").stat().st_mode & 0o777 == 0o600
        assert (folder / "kctl.json").stat().st_mode & 0o777 == 0o600

    def test_up_a_second_time_changes_nothing(self, folder: Path) -> None:
        from lab import open as labs

        lab = labs.open_lab(folder)
        state, services, example = (folder / "state.json").read_bytes(), running(lab), pods(lab)
        result = kctl(folder, "up")
        assert result.returncode == 0, result.stderr
        assert (folder / "state.json").read_bytes() == state
        assert running(lab) == services
        assert pods(lab) == example

    def test_up_starts_again_what_has_died_and_nothing_else(self, folder: Path) -> None:
        from lab import open as labs

        lab = labs.open_lab(folder)
        services = running(lab)
        lab.stop("host-1", "kagent")
        assert kctl(folder, "status").returncode == 1
        assert kctl(folder, "up").returncode == 0
        now = running(lab)
        assert {name for name in now if now[name] != services[name]} == {("host-1", "kagent")}
        assert kctl(folder, "status").returncode == 0

    def test_exec_runs_on_the_host_and_ends_as_the_command_does(self, folder: Path, runtime: str) -> None:
        result = kctl(folder, "exec", "host-1", "--", "sh", "-c", "hostname; exit 7")
        if runtime == "hollow":
            assert result.returncode == 1
            assert "host-1 is hollow" in result.stderr
        else:
            assert (result.stdout, result.returncode) == ("host-1\n", 7)
        unknown = kctl(folder, "fault", "kill", "host-9")
        assert unknown.returncode == 1
        assert unknown.stderr.strip() == "Error: this lab has no host 'host-9'; it has master, host-1, host-2"

    def test_a_fault_shows_in_the_status_and_up_heals_it(self, folder: Path) -> None:
        for fault, state in (("kill", "killed"), ("partition", "partitioned")):
            assert kctl(folder, "fault", fault, "host-2").returncode == 0
            assert kctl(folder, "fault", fault, "host-2").returncode == 0
            shown = kctl(folder, "status")
            assert shown.returncode == 1
            assert next(line.split()[2] for line in shown.stdout.splitlines() if line.startswith("  host-2")) == state
            assert kctl(folder, "fault", "heal", "host-2").returncode == 0
            assert kctl(folder, "status").returncode == 0
        assert kctl(folder, "fault", "kill", "host-2").returncode == 0
        result = kctl(folder, "up")
        assert result.returncode == 0, result.stderr

    def test_another_runtime_is_refused_while_the_lab_is_up(self, folder: Path, runtime: str) -> None:
        other = {"containerd": "hollow", "hollow": "containerd"}[runtime]
        result = kctl(folder, "up", "--runtime", other)
        assert result.returncode == 1
        assert f"a lab with the runtime {runtime} is in {folder}: run script/down first" in result.stderr

    def test_down_leaves_the_machine_as_it_was_and_can_be_repeated(self, folder: Path, before: set[str]) -> None:
        made, running = machine() - before, started(folder, lab_id(folder))
        assert len(running) >= 3
        for _ in range(2):
            result = kctl(folder, "down")
            assert result.returncode == 0, result.stderr
        # What others make or remove meanwhile is not the lab's: what came with it must have gone with it.
        assert [line for line in sorted(made & machine()) if not others(line, lab_id(folder))] == []
        assert [process for process in running if processes.alive(process)] == []
        assert {path.name for path in folder.iterdir()} <= {"cache", "lock"}


def test_an_occupied_port_is_named_and_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lab import open as labs

    with socket.socket() as listener:
        listener.bind((loopback.ADDRESS, 0))
        listener.listen()
        port = listener.getsockname()[1]
        monkeypatch.setattr(loopback, "free_ports", lambda names: {name: port for name in names})
        with pytest.raises(LabFault, match=f"the port {port} of 127.0.0.1 is used by another program"):
            labs.open_lab(tmp_path / "lab", LabSettings(runtime="hollow")).up(Quiet())
    assert {path.name for path in (tmp_path / "lab").iterdir()} <= {"cache", "lock"}
    assert not [line for line in _lines("ps", "-eww", "-o", "args=") if str(tmp_path) in line]


@needs_root
def test_a_lab_whose_state_was_lost_is_removed_by_its_names(tmp_path: Path) -> None:
    from lab import open as labs
    from lab.machines import Machines

    folder = tmp_path / "lab"
    state = State(id=lab_id(folder), settings=LabSettings(hosts=1))
    machines = Machines(folder, StateFile(folder), state)
    machines.settle(None)
    machines.share()
    for host in state.hosts:
        machines.power_on(host)
    init = machines.running("host-1")[1]
    boot.spawn(init, ["sleep", "600"], log=folder / "sleep.log")
    (folder / "state.json").write_text("{")
    labs.open_lab(folder).down(Quiet())
    assert not processes.alive(init)
    assert net.namespaces(state.id) == []
    assert cgroups.folders(state.id) == []
    assert net.uplink(state.id) not in os.listdir("/sys/class/net")
    assert {path.name for path in folder.iterdir()} <= {"cache", "lock"}
    for made in reversed(state.made_folders):  # only the state knew that they were not there before
        os.rmdir(made)
