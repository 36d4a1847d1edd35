"""What pods leave on a host, counted exactly: everything that a runtime, a network or an agent could forget to take away."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator

from lab import runtimes
from tests.e2e.cluster import Cluster

GONE_WITHIN_S = 15.0
IDLE = "descriptor socket"
"""Connections to Docker that were kept for a while may have been closed meanwhile; more of them are a leak like everything else."""

LOOK = r"""
for pid in /proc/[0-9]*; do
    name=$(cat "$pid/comm" 2>/dev/null) || continue
    [ "${pid#/proc/}" = "$$" ] || [ "$(cut -d" " -f4 "$pid/stat" 2>/dev/null)" = "$$" ] || echo "process $name"
done
for name in $(ls /run/netns); do echo "namespace $name"; done
for name in $(ls /sys/class/net); do echo "link $name"; done
cut -d" " -f5 /proc/self/mountinfo | sed "s/^/mount /"
find /sys/fs/cgroup -type d | sed "s/^/cgroup /"
nft list ruleset | sed "s/^/rule /"
ip route | sed "s/ linkdown//; s/ *$//; s/^/route /"
find /var/lib/cni /var/log/pods /var/log/containers /var/lib/kagent /run/kagent 2>/dev/null | sed "s/^/file /; s#/\.\.[a-z0-9]\{10\}#/..files#"
"""
"""A volume of files has its files in a folder with a random name, another whenever they change; but it has one."""


def on(cluster: Cluster, host: str) -> list[str]:
    """A line each, sorted; a kind that is there twice has two lines."""
    found = cluster.lab.run(host, ["sh", "-c", LOOK])
    assert found.returncode == 0, found.stderr
    return sorted([*found.stdout.splitlines(), *_descriptors(cluster, host)])


def assert_none(cluster: Cluster, host: str, before: list[str], *, but: tuple[str, ...] = (), fewer: bool = False) -> None:
    """All is as it was, exactly, within a moment. but: the beginnings of lines that do not count. fewer: others may have gone meanwhile."""

    def left() -> list[str]:
        then, now = Counter(before), Counter(on(cluster, host))
        went = [line for line in (then - now).elements() if line != IDLE]
        changed = [f"+ {line}" for line in (now - then).elements()] + [f"- {line}" for line in went if not fewer]
        return [line for line in changed if not line[2:].startswith(but or ("\0",))]

    with contextlib.suppress(AssertionError):
        cluster.until(lambda: not left(), "nothing to be left", deadline_s=GONE_WITHIN_S)
    found = left()
    assert not found, f"left on {host}:\n" + "\n".join(found)


def _descriptors(cluster: Cluster, host: str) -> Iterator[str]:
    """What the agent has open, by kind: its sockets and pipes have numbers, and its files names."""
    listed = cluster.lab.run(host, ["sh", "-c", f"ls -l /proc/{inner_pid(cluster, host, 'kagent')}/fd"])
    for line in listed.stdout.splitlines():
        _, arrow, target = line.partition(" -> ")
        if arrow:
            yield f"descriptor {target.partition(':[')[0]}"


def inner_pid(cluster: Cluster, host: str, service: str) -> int:
    """Its pid within the host."""
    pid = pids(cluster, host)[service]
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[-1]) for line in file if line.startswith("NSpid:"))


def pids(cluster: Cluster, host: str) -> dict[str, int]:
    """On this machine, by service."""
    return {each.name: each.pid for status in cluster.lab.status().hosts if status.name == host for each in status.services}


def resident_bytes(pid: int) -> int:
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmRSS:"))


def of_runtime(cluster: Cluster, host: str) -> int:
    """How many descriptors the runtime's daemon has open."""
    found = cluster.lab.run(host, ["sh", "-c", f"ls /proc/{inner_pid(cluster, host, runtimes.service(cluster.runtime, host))}/fd"])
    return len(found.stdout.split())
