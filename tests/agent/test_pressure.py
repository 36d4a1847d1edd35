"""A host that runs short: which thresholds are crossed, who has to go, and in which words; and the agent that sees to it."""

from __future__ import annotations

import pytest

from agent.lifecycle import pressure
from agent.lifecycle.pressure import DISK, INODES, MEMORY, PIDS, Amount, Candidate, Met, Threshold, Use
from tests.agent import pods

MI = 1 << 20


def test_thresholds_are_written_as_the_kubelet_reads_them() -> None:
    assert pressure.parse("memory.available<100Mi, nodefs.available<10%") == (Threshold(MEMORY, 100 * MI), Threshold(DISK, share=0.1))
    assert pressure.parse("") == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("memory<1Mi", "is not SIGNAL<QUANTITY"), ("memory.available", "is not SIGNAL<QUANTITY"), ("memory.available<x", "x"),
        ("nodefs.available<100%", "less than 100%"), ("nodefs.available<-1%", "at least 0%"),
    ],
)  # fmt: skip
def test_a_bad_threshold_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        pressure.parse(text)


def test_thresholds_are_crossed_from_below_memory_first() -> None:
    thresholds = pressure.parse("nodefs.available<10%,memory.available<100Mi,nodefs.inodesFree<5%,pid.available<5%")
    signals = {DISK: Amount(9, 100), MEMORY: Amount(99 * MI, 1000 * MI), PIDS: Amount(5, 100)}
    assert pressure.met(thresholds, signals) == (Met(MEMORY, 100 * MI, 99 * MI), Met(DISK, 10, 9))
    assert pressure.met(thresholds, {MEMORY: Amount(100 * MI, 1000 * MI)}) == ()


def candidate(name: str, *, memory: int = 0, disk: int = 0, processes: int = 0, asked: str = "", priority: int = 0) -> Candidate:
    resources = {"requests": {"memory": asked, "ephemeral-storage": asked}} if asked else {}
    document = pods.document(name, containers=[pods.container("app", resources=resources)], priority=priority)
    use = Use(memory * MI, disk * MI, processes)
    return Candidate(pods.view(document), use, {"app": use})


@pytest.mark.parametrize(
    ("signal", "candidates", "expected"),
    [
        pytest.param(MEMORY, [candidate("a", memory=50, asked="100Mi"), candidate("b", memory=5)], "b", id="who uses more than it asked for"),
        pytest.param(MEMORY, [candidate("a", memory=90), candidate("b", memory=5, priority=-1)], "b", id="then who is less important"),
        pytest.param(MEMORY, [candidate("a", memory=90, asked="80Mi"), candidate("b", memory=50)], "b", id="then who uses most beyond it"),
        pytest.param(MEMORY, [candidate("a", memory=9, asked="90Mi"), candidate("b", memory=8, asked="10Mi")], "b",
                     id="all within: who is nearest to what it asked for"),
        pytest.param(MEMORY, [candidate("a", memory=90, priority=2_000_000_000), candidate("b", memory=1)], "b", id="never the system's own"),
        pytest.param(DISK, [candidate("a", memory=90, disk=1), candidate("b", disk=2)], "b", id="the disk: by what is kept on it"),
        pytest.param(DISK, [candidate("a", memory=90), candidate("b", memory=1)], None, id="the disk: nobody who keeps nothing on it"),
        pytest.param(DISK, [Candidate(pods.view(pods.document("a")), Use(disk_bytes=16 << 10))], None, id="the disk: an empty layer is nothing"),
        pytest.param(INODES, [candidate("a", disk=1), candidate("b", disk=2)], "b", id="inodes: as the disk"),
        pytest.param(PIDS, [candidate("a", processes=3), candidate("b", processes=300)], "b", id="processes: who has most"),
        pytest.param(PIDS, [], None, id="nobody is there"),
    ],
)  # fmt: skip
def test_who_has_to_go(signal: str, candidates: list[Candidate], expected: str | None) -> None:
    found = pressure.first(signal, candidates)
    assert (found.pod.metadata.name if found is not None else None) == expected


def test_the_kubelets_words() -> None:
    found = pressure.eviction(Met(MEMORY, 100 * MI, 90 * MI), candidate("a", memory=50, asked="10Mi"))
    assert found.reason == "Evicted"
    assert found.message == (
        "The node was low on resource: memory. Threshold quantity: 102400Ki, available: 92160Ki. "
        "Container app was using 51200Ki, request is 10240Ki, has larger consumption of memory. "
    )
    assert pressure.eviction(Met(PIDS, 50, 9), candidate("a", processes=99)).message == (
        "The node was low on resource: pids. Threshold quantity: 50, available: 9. "
    )
