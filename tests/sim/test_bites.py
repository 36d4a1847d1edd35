"""The simulation itself is tested by breaking what it watches over: each of these faults in our own code must be found by some seed."""

from __future__ import annotations

from agent.agent import Agent
from master.api.contract import Actor
from master.controllers import deployment, pod_gc, replicaset
from master.store.memory import MemoryStore
from tests.sim import scenario

SEEDS = range(1, 13)


def found() -> str:
    """What the first seed that fails says."""
    for seed in SEEDS:
        try:
            scenario.run(seed)
        except scenario.Failure as failure:
            assert f"replay: python -m tests.sim.scenario {seed}" in str(failure)
            return str(failure)
    raise AssertionError("no seed found it")


def test_a_pod_that_is_replaced_while_it_still_ends_is_found(monkeypatch):
    monkeypatch.setattr(replicaset, "at_most_one", lambda template: False)
    assert "is at most one" in found()


def test_a_silent_host_that_is_taken_for_a_dead_one_is_found(monkeypatch):
    monkeypatch.setattr(pod_gc, "fenced", lambda node: not node.ready)
    assert "is at most one" in found()


def test_a_store_that_forgets_what_it_acknowledged_is_found(monkeypatch):
    crash = MemoryStore.crash

    def forgetful(self: MemoryStore, keep_tail: bool) -> MemoryStore:
        left = crash(self, keep_tail)
        left._rows_journal._rows = left._rows_journal._rows[:-3]
        left._rows_journal._revision -= 3
        return left

    monkeypatch.setattr(MemoryStore, "crash", forgetful)
    assert "was acknowledged" in found()


def test_containers_that_nobody_ends_are_found(monkeypatch):
    monkeypatch.setattr(Agent, "sync", lambda self, uids: None)
    assert "not settled" in found()


def test_a_write_that_is_somebody_elses_business_is_found(monkeypatch):
    monkeypatch.setattr(replicaset, "ACTOR", Actor(deployment.ACTOR.name, replicaset.ACTOR.role))
    assert "it is the business of" in found()
