"""Many pods come and go on one host, and it is as if they had never been there."""

from __future__ import annotations

import pytest

from tests.e2e import residue
from tests.e2e.cluster import Cluster
from tests.e2e.test_kills import HOST, Crowd, alone

PODS, PODS_LONG = 40, 300
AT_ONCE = 20
FLAT_BYTES = 4 << 20


@pytest.mark.real
def test_nothing_is_left_of_many_pods_and_the_agent_does_not_grow(cluster: Cluster, long: bool) -> None:
    cluster.until(lambda: alone(cluster), "the pods of other tests to go")
    crowd = Crowd(cluster)
    _batch(crowd, "warm")  # once, so that what is made on first use is there before and after
    before = residue.on(cluster, HOST)
    runtime_before = residue.of_runtime(cluster, HOST)
    agent = residue.pids(cluster, HOST)["kagent"]
    memory_bytes = residue.resident_bytes(agent)
    for number in range((PODS_LONG if long else PODS) // AT_ONCE):
        _batch(crowd, f"batch{number}")
    residue.assert_none(cluster, HOST, before)
    cluster.until(lambda: residue.of_runtime(cluster, HOST) <= runtime_before, "the runtime to close what it had open")
    assert residue.pids(cluster, HOST)["kagent"] == agent
    assert residue.resident_bytes(agent) - memory_bytes < FLAT_BYTES


def _batch(crowd: Crowd, name: str) -> None:
    crowd.create(*(f"{name}-{n}" for n in range(AT_ONCE)))
    crowd.settle()
    crowd.clear()
