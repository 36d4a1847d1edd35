"""The waiting pods: who is tried now, who later, and what wakes whom."""

from __future__ import annotations

from typing import Any

import pytest

from master.scheduler.ask import Ask
from master.scheduler.queue import FLUSH_S, MAX_BACKOFF_S, PendingQueue, Stir

ROOM = frozenset(("NodeResourcesFit",))
TAINT = frozenset(("TaintToleration",))


def ask(name: str, *, uid: str = "1", **more: Any) -> Ask:
    fields: dict[str, Any] = {"requests": {"pods": 1}, "scored": (1, 1), "revision": 1, **more}
    return Ask(f"pods/a/{name}", name, "a", uid, **fields)


def taken(queue: PendingQueue, now: float, limit: int = 99) -> list[str]:
    return [waiting.ask.name for waiting in queue.take(now, limit)]


def parked(plugins: frozenset[str] = ROOM, **how: Any) -> PendingQueue:
    queue = PendingQueue()
    queue.set(ask("x"))
    taken(queue, 0)
    queue.park(ask("x"), plugins, 0, **how)
    return queue


def test_pods_are_taken_by_priority_then_in_order_and_only_once() -> None:
    queue = PendingQueue()
    for name, priority in (("c", 0), ("a", 0), ("urgent", 10), ("b", 0)):
        queue.set(ask(name, priority=priority))
    assert taken(queue, 0, limit=3) == ["urgent", "c", "a"]
    assert taken(queue, 0) == ["b"] and taken(queue, 0) == []


@pytest.mark.parametrize(
    ("plugins", "what", "woken"),
    [
        pytest.param(ROOM, Stir.ROOM, True, id="room wakes who lacked room"),
        pytest.param(TAINT, Stir.ROOM, False, id="room does not help against taints"),
        pytest.param(TAINT, Stir.NODE, True, id="a node may help anybody"),
        pytest.param(frozenset(), Stir.NODE, True, id="also who found no node at all"),
    ],
)
def test_what_wakes_whom(plugins: frozenset[str], what: Stir, woken: bool) -> None:
    queue = parked(plugins)
    queue.stir(what, 77)
    assert taken(queue, 0.5) == [], "not within its back-off"
    [waiting] = queue.take(2.0, 9) or [None]
    assert (waiting is not None) == woken
    assert waiting is None or waiting.trigger == 77


def test_nothing_waits_for_ever_and_the_shell_knows_when_to_look() -> None:
    queue = parked()
    assert queue.next_time(0) == FLUSH_S
    queue.stir(Stir.ROOM, 5)
    assert queue.next_time(0) == 1.0
    assert taken(parked(), FLUSH_S) == ["x"]
    assert parked(retry=True).next_time(0) == 1.0
    assert PendingQueue().next_time(0) is None


def test_the_back_off_doubles_to_its_bound() -> None:
    queue, now, waits = PendingQueue(), 0.0, []
    queue.set(ask("x"))
    for _ in range(6):
        assert taken(queue, now) == ["x"]
        queue.park(ask("x"), ROOM, now, retry=True)
        due = queue.next_time(now)
        assert due is not None
        waits.append(due - now)
        now = due
    assert waits == [1, 2, 4, 8, MAX_BACKOFF_S, MAX_BACKOFF_S]


def test_a_change_of_the_pod_counts_only_when_it_asks_for_something_else() -> None:
    queue = parked()
    assert not queue.set(ask("x", revision=2)) and taken(queue, 0.1) == []
    assert queue.set(ask("x", revision=3, node_selector=(("disk", "ssd"),))) and taken(queue, 0.1) == ["x"]


def test_a_successor_of_the_same_name_is_tried_afresh_and_its_predecessors_fate_is_not_its_own() -> None:
    queue = PendingQueue()
    queue.set(ask("x"))
    taken(queue, 0)
    assert queue.set(ask("x", uid="2"))
    queue.park(ask("x"), ROOM, 0)
    assert [w.ask.uid for w in queue.take(0, 9)] == ["2"] and taken(queue, 0) == []
    queue.remove("pods/a/x")
    assert len(queue) == 0 and queue.next_time(0) is None
