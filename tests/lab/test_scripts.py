"""script/up and script/down where something is wrong: one clear sentence, a non-zero exit code, nothing half-started."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
WITHOUT_ROOT = ["unshare", "--user"]
"""In a user namespace without a mapping one is nobody."""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A fresh clone, as far as the scripts need one: no venv in it."""
    clone = tmp_path / "clone"
    clone.mkdir()
    for name in ("setup.cfg", "pyproject.toml"):
        shutil.copy(ROOT / name, clone)
    shutil.copytree(ROOT / "script", clone / "script")
    return clone


def commands(tmp_path: Path, **scripts: str) -> str:
    """A PATH on which these commands come first."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in scripts.items():
        path = folder / name.replace("_", "-")
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def call(checkout: Path, *argv: str, before: list[str] | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*(before or []), *argv], cwd=checkout, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=120,
    )  # fmt: skip


def refused(result: subprocess.CompletedProcess[str], checkout: Path) -> str:
    """The one sentence it said; nothing was made."""
    assert result.returncode == 1
    assert result.stdout == ""
    assert not (checkout / ".venv").exists()
    assert not (checkout / ".lab").exists()
    said = result.stderr.splitlines()[-1]
    assert said.startswith("steersman: ")
    return said


def test_up_without_root_names_the_runtime_that_needs_none(checkout: Path) -> None:
    if subprocess.run([*WITHOUT_ROOT, "true"], capture_output=True).returncode:
        pytest.skip("user namespaces are not allowed here")
    result = call(checkout, "script/up", before=WITHOUT_ROOT)
    assert "real containers need root: run this with sudo, or use --runtime hollow" in refused(result, checkout)
    assert len(result.stderr.splitlines()) == 1


def test_up_with_an_unknown_runtime_names_those_there_are(checkout: Path) -> None:
    said = refused(call(checkout, "script/up", "--runtime", "podman"), checkout)
    assert "there is no runtime 'podman': choose containerd, docker, mixed or hollow" in said


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_up_with_a_broken_package_source_repeats_what_apt_said(checkout: Path, tmp_path: Path) -> None:
    path = commands(tmp_path, dpkg_query="exit 1", apt_get="echo 'E: Failed to fetch http://deb.example/ Could not resolve' >&2; exit 100")
    result = call(checkout, "script/up", PATH=path)
    said = refused(result, checkout)
    assert "could not be installed (E: Failed to fetch http://deb.example/ Could not resolve)" in said
    assert "check the network and /etc/apt/sources.list" in said
    assert result.stderr.startswith("Installing Debian packages: containerd ")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_broken_source_that_is_not_needed_does_no_harm(checkout: Path, tmp_path: Path) -> None:
    path = commands(tmp_path, dpkg_query="exit 1", apt_get='case "$1" in update) echo "E: elsewhere" >&2; exit 100;; esac')
    result = call(checkout, "script/up", PATH=path, PIP_INDEX_URL="http://127.0.0.1:9/", PIP_RETRIES="0", PIP_NO_INDEX="1")
    assert "Debian packages could not" not in result.stderr


@pytest.mark.parametrize(
    ("there", "installed"),
    [
        pytest.param(True, [], id="docker.io brought its command line along"),
        pytest.param(False, ["docker-cli"], id="its command line is a package of its own"),
    ],
)
def test_docker_is_installed_with_its_command_line(checkout: Path, tmp_path: Path, there: bool, installed: list[str]) -> None:
    stubs = {"dpkg-query": 'case "$*" in *docker-cli) exit 1;; esac; printf "ii "', "apt-get": f'echo "$@" >>{tmp_path}/asked', "id": "echo 0"}
    path = commands(tmp_path, **stubs, **({"docker": ""} if there else {})).partition(":")[0]
    for needed in ("mktemp", "rm", "grep", "tail", "sh"):
        Path(path, needed).symlink_to(shutil.which(needed) or needed)
    result = call(checkout, "/bin/bash", "-euc", ". script/lib.sh; install_docker", PATH=path)
    assert result.returncode == 0, result.stderr
    asked = (tmp_path / "asked").read_text().splitlines() if (tmp_path / "asked").exists() else []
    assert [line.split()[-1] for line in asked if "install" in line] == installed


def test_up_without_a_package_index_leaves_no_half_made_venv(checkout: Path) -> None:
    environment = {"PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_RETRIES": "0", "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": ""}
    result = call(checkout, "script/up", "--runtime", "hollow", **environment)
    assert "the Python packages could not be installed (ERROR: " in refused(result, checkout)


def test_down_where_nothing_is_says_so(checkout: Path) -> None:
    result = call(checkout, "script/down")
    assert result.returncode == 0
    assert result.stderr == "There is no lab in .lab.\n"


def test_down_without_a_venv_ends_exactly_the_recorded_processes(checkout: Path) -> None:
    from lab import loopback, processes
    from lab.state import Host, State, StateFile

    ours = loopback.spawn(["sleep", "60"], log=checkout / "log")
    stranger = loopback.spawn(["sleep", "60"], log=checkout / "log")
    another = processes.Process(stranger.pid, stranger.start - 1)
    lab = checkout / ".lab"
    StateFile(lab).save(State(id="0123", hosts=[Host("host-1", "127.0.0.1", services={"kagent": ours, "kmaster": another})]))
    (lab / "cache").mkdir()
    try:
        result = call(checkout, "script/down")
        assert result.returncode == 0, result.stderr
        assert processes.wait_gone([ours], 5) == []
        assert processes.alive(stranger)
        assert [path.name for path in lab.iterdir()] == ["cache"]
    finally:
        processes.end(stranger)


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("catatonit"), reason="needs root and catatonit")
def test_down_without_a_venv_removes_hosts_by_their_names(checkout: Path) -> None:
    from lab import boot, cgroups, net, processes
    from lab.contract import LabSettings
    from lab.machines import Machines
    from lab.state import State, StateFile, lab_id

    folder = checkout / ".lab"
    state = State(id=lab_id(folder), settings=LabSettings(hosts=1))
    machines = Machines(folder, StateFile(folder), state)
    machines.settle(None)
    machines.share()
    for host in state.hosts:
        machines.power_on(host)
    init = machines.running("host-1")[1]
    daemon = boot.spawn(init, ["sleep", "60"], log=folder / "sleep.log")
    result = call(checkout, "script/down")
    assert result.returncode == 0, result.stderr
    assert processes.wait_gone([init, daemon], 5) == []
    assert net.namespaces(state.id) == []
    assert cgroups.folders(state.id) == []
    assert net.uplink(state.id) not in os.listdir("/sys/class/net")
    assert cgroups.open_root() == state.opened_controllers
    cgroups.close_root(state.opened_controllers)
    assert not any(Path(made).exists() for made in state.made_folders)
    assert list(folder.iterdir()) == []
