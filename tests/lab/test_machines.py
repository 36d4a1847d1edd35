"""Real hosts out of namespaces: what they share, what they do not, and that nothing is left of them. Needs root."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import boot, cgroups, containerd, images, net, processes, removal
from lab.contract import LabFault, LabSettings
from lab.machines import Machines
from lab.state import State, StateFile, lab_id

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("catatonit") or not shutil.which("containerd"), reason="needs root, catatonit and containerd"
)


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    directory = tmp_path_factory.mktemp("machines")
    state = State(id=lab_id(directory), settings=LabSettings(hosts=2, cpu=1, memory_bytes=1 << 30))
    made = Machines(directory, StateFile(directory), state)
    try:
        made.settle(None)
        made.share()
        for host in state.hosts:
            made.power_on(host)
        yield made
    finally:
        removal.remove(state.id, directory, state)
        assert net.namespaces(state.id) == []
        assert cgroups.folders(state.id) == []
        assert os.listdir(directory) == []


def output(machines: Machines, host: str, *argv: str, check: bool = True) -> str:
    result = boot.run(machines.running(host)[1], argv, timeout_s=20)
    assert not check or result.returncode == 0, result.stderr
    return result.stdout.strip()


def reaches(machines: Machines, source: str, target: str) -> bool:
    command = ["busybox", "ping", "-c", "1", "-W", "1", machines.state.host(target).address]
    return boot.run(machines.running(source)[1], command, timeout_s=20).returncode == 0


def test_hosts_reach_one_another_and_nothing_else(machines: Machines) -> None:
    assert reaches(machines, "host-1", "host-2")
    assert reaches(machines, "host-2", "master")
    routes = output(machines, "host-1", "ip", "-4", "route").splitlines()
    assert len(routes) == 1
    assert routes[0].startswith(machines.state.subnet)


def test_this_machine_reaches_the_hosts(machines: Machines) -> None:
    processes.run(["busybox", "ping", "-c", "1", "-W", "1", machines.state.host("host-1").address])


def test_a_host_has_its_own_name_processes_and_links(machines: Machines) -> None:
    assert output(machines, "host-2", "hostname") == "host-2"
    assert output(machines, "host-1", "cat", "/proc/1/comm") == "catatonit"
    links = output(machines, "host-1", "sh", "-c", "ls /sys/class/net").split()
    assert "eth0" in links
    assert net.uplink(machines.state.id) not in links


def test_a_host_has_folders_of_its_own_that_outlive_it(machines: Machines) -> None:
    for folder in [*boot.OWN_FOLDERS, "/run"]:
        output(machines, "host-1", "sh", "-c", f"echo mine >{folder}/mark")
        assert output(machines, "host-2", "cat", f"{folder}/mark", check=False) == ""
        assert not (Path(folder) / "mark").exists()
    assert output(machines, "host-1", "cat", f"{machines.disk(machines.state.host('host-1'))}/var/lib/kagent/mark") == "mine"


def test_a_host_is_limited_to_its_capacity(machines: Machines) -> None:
    groups = [folder / "host-1" for folder in cgroups.folders(machines.state.id)]
    files = [group / name for group in groups for name in ("memory.limit_in_bytes", "memory.max")]
    limits = [file.read_text().strip() for file in files if file.exists()]
    if not limits:
        pytest.skip("this machine's cgroups have no memory controller")
    assert limits == [str(1 << 30)]
    paths = output(machines, "host-1", "cat", "/proc/self/cgroup").splitlines()
    assert {path.split(":", 2)[2] for path in paths} == {"/system"}


def test_a_daemon_is_the_hosts_own_and_is_stopped_by_its_record(machines: Machines) -> None:
    host, init = machines.running("host-1")
    log = machines.log(host, "sleeper")
    process = boot.spawn(init, ["sh", "-c", "echo $WORD; exec sleep 60"], log=log, env={"WORD": "awake"})
    assert process in processes.children(init.pid)
    processes.until(lambda: log.read_text() == "awake\n", 5, "the log has not come")
    processes.send(process, signal.SIGKILL)
    assert processes.wait_gone([process], 5) == []


def test_a_host_that_is_cut_off_is_silent_but_goes_on(machines: Machines) -> None:
    host = machines.state.host("host-2")
    machines.cut_off(host)
    assert not reaches(machines, "host-1", "host-2")
    assert machines.observe(host).state == "partitioned"
    machines.cut_off(host)
    machines.power_on(host)
    assert reaches(machines, "host-1", "host-2")
    assert machines.observe(host).state == "running"


def test_a_host_without_power_loses_its_processes_and_keeps_its_disk(machines: Machines) -> None:
    host, init = machines.running("host-2")
    process = boot.spawn(init, ["sleep", "60"], log=machines.log(host, "sleeper"))
    output(machines, "host-2", "sh", "-c", "echo kept >/var/lib/kagent/disk; echo lost >/run/memory")
    machines.power_off(host)
    assert not processes.alive(process)
    assert not processes.alive(init)
    assert machines.observe(host).state == "killed"
    assert not reaches(machines, "host-1", "host-2")
    with pytest.raises(LabFault, match="host-2 does not run: `kctl lab fault heal host-2`"):
        machines.running("host-2")
    machines.power_off(host)
    machines.power_on(host)
    assert reaches(machines, "host-1", "host-2")
    assert output(machines, "host-2", "cat", "/var/lib/kagent/disk") == "kept"
    assert output(machines, "host-2", "ls", "/run/memory", check=False) == ""


def test_what_runs_is_not_touched_by_a_second_power_on(machines: Machines) -> None:
    host, init = machines.running("host-1")
    machines.power_on(host)
    assert machines.running("host-1") == (host, init)


def test_each_host_runs_containers_in_a_containerd_of_its_own(machines: Machines, tmp_path: Path) -> None:
    host, init = machines.running("host-1")
    machines.spawn(host, "containerd")
    machines.wait(host, "containerd")
    containerd.import_images(init, images.cached(tmp_path))
    ctr = ["ctr", "--address", containerd.SOCKET, "--namespace", "k8s.io"]
    assert images.names() == [name for name in output(machines, "host-1", *ctr, "images", "ls", "-q").split() if "/" in name]
    command = ["sh", "-c", "echo from $(cat /etc/group)"]
    said = output(machines, "host-1", *ctr, "run", "--rm", "docker.io/library/busybox:1.36", "hello", *command)
    assert said.startswith("from root:x:0:")
    machines.stop(host, "containerd", signal.SIGTERM)
    assert [each.running for each in machines.observe(host).services] == [False, False]


def test_a_command_that_hangs_is_given_up(machines: Machines) -> None:
    with pytest.raises(LabFault, match="`sleep 30` did not end within 0.5 s"):
        boot.run(machines.running("host-1")[1], ["sleep", "30"], timeout_s=0.5)
    processes.until(lambda: "sleep 30" not in output(machines, "host-1", "ps", "-e", "-o", "args"), 5, "it still runs")
