"""The runtime's contract, part two: what a container's processes are and may, whom they see, and how they resolve names.

Over both real runtimes: for hollow containers these are words.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from agent.log_lines import Lines
from agent.runtime.contract import Dns, Security
from tests.contract.test_runtime import Bench, containerd, docker, host, real  # noqa: F401

pytestmark = pytest.mark.containerd


def said(bench: Bench) -> list[str]:
    """The lines of its log."""
    return Lines(False, None).feed(Path(bench.sandbox().log_directory, "app/0.log").read_bytes()).decode().splitlines()


@pytest.mark.parametrize(
    ("security", "command", "expected"),
    [
        pytest.param(Security(user=1234, group=1235, groups=(77, 78)), "echo $(id -u) $(id -g) $(id -G)", "1234 1235 1235 77 78", id="user and groups"),
        pytest.param(Security(drop=("ALL",)), "grep CapEff /proc/self/status", "CapEff: 0000000000000000", id="no capabilities"),
        pytest.param(Security(drop=("ALL",), add=("NET_ADMIN",)), "grep CapEff /proc/self/status", "CapEff: 0000000000001000", id="one capability"),
        pytest.param(Security(no_new_privileges=True), "grep NoNewPrivs /proc/self/status", "NoNewPrivs: 1", id="no new privileges"),
        pytest.param(Security(), "grep NoNewPrivs /proc/self/status", "NoNewPrivs: 0", id="new privileges, as without a word"),
        pytest.param(Security(read_only_root=True), "touch /x 2>&1 | grep -o Read-only", "Read-only", id="a root that cannot be written"),
        pytest.param(Security(seccomp="RuntimeDefault"), "grep Seccomp: /proc/self/status", "Seccomp: 2", id="the runtime's filter"),
        pytest.param(Security(seccomp="Unconfined"), "grep Seccomp: /proc/self/status", "Seccomp: 0", id="no filter"),
        pytest.param(Security(), "sh -c 'echo x >/proc/sys/kernel/domainname' 2>&1 | grep -o Read-only", "Read-only", id="/proc/sys is the host's"),
    ],
)  # fmt: skip
def test_a_process_is_and_may_what_was_asked(real: Callable, security: Security, command: str, expected: str) -> None:
    async def test(bench: Bench) -> None:
        await bench.run("sh", "-c", f"echo $({command})", security=security)
        await bench.until_ended()
        assert said(bench) == [expected]

    real(test)


def test_a_profile_of_the_host_filters_calls(real: Callable, tmp_path: Path) -> None:
    profile = tmp_path / "no-chmod.json"
    rule = {"names": ["chmod", "fchmodat", "fchmod"], "action": "SCMP_ACT_ERRNO"}
    profile.write_bytes(msgspec.json.encode({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}))

    async def test(bench: Bench) -> None:
        await bench.run("sh", "-c", "touch /x; chmod 600 /x 2>&1 | grep -o permitted", security=Security(seccomp=str(profile)))
        await bench.until_ended()
        assert said(bench) == ["permitted"]

    real(test)


def test_namespaces_sysctls_and_the_resolver_are_the_pods(real: Callable) -> None:
    async def test(bench: Bench) -> None:
        dns = Dns(("192.0.2.9",), ("one.example", "two.example"), ("ndots:3",))
        spec = bench.sandbox(share_processes=True, sysctls={"net.ipv4.ip_unprivileged_port_start": "80"}, dns=dns)
        sandbox_id = await bench.runtime.create_sandbox(spec)
        look = "cat /proc/sys/net/ipv4/ip_unprivileged_port_start; grep -v '^#' /etc/resolv.conf; [ $$ != 1 ] && echo not first"
        container_id = await bench.runtime.create_container(sandbox_id, await bench.container("sh", "-c", look))
        await bench.runtime.start_container(container_id)
        await bench.until_ended()
        lines = [line for line in said(bench) if line]
        assert lines[0] == "80" and lines[-1] == "not first"
        assert sorted(lines[1:-1]) == ["nameserver 192.0.2.9", "options ndots:3", "search one.example two.example"]

    real(test)


def test_the_hosts_processes_are_seen_when_asked_for(real: Callable) -> None:
    async def test(bench: Bench) -> None:
        sandbox_id = await bench.runtime.create_sandbox(bench.sandbox(host_pid=True, host_ipc=True))
        look = f"[ -d /proc/{os.getpid()} ] && cat /proc/{os.getpid()}/comm"
        container_id = await bench.runtime.create_container(sandbox_id, await bench.container("sh", "-c", look))
        await bench.runtime.start_container(container_id)
        await bench.until_ended()
        assert said(bench) == [Path("/proc/self/comm").read_text().strip()]

    real(test)
