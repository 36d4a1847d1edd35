"""The reporter: the newest news of each pod, until the master has it."""

from __future__ import annotations

from agent.lifecycle.life import Note
from agent.reporter import EVENTS_MOST, RESEND_S, Reporter
from common.clock import SystemClock
from common.wire import messages


def reporter(epoch: int | None = 7) -> Reporter:
    made = Reporter(SystemClock())
    if epoch is not None:
        made.connected(epoch)
    return made


def statuses(taken: list[messages.Message]) -> list[tuple[str, bytes]]:
    return [(m.uid, m.status) for m in taken if isinstance(m, messages.PodReport)]


def acknowledge(made: Reporter, taken: list[messages.Message]) -> None:
    made.acknowledged(tuple(m.sequence for m in taken if not isinstance(m, messages.Happened)))


def test_only_the_newest_status_of_a_pod_is_told() -> None:
    made = reporter()
    made.status("a", 1, b"old")
    made.status("b", 1, b"b")
    made.status("a", 2, b"new")
    taken = made.take(0.0)
    assert statuses(taken) == [("b", b"b"), ("a", b"new")]
    assert {m.epoch for m in taken} == {7} and made.take(0.0) == []


def test_it_is_told_again_until_acknowledged() -> None:
    made = reporter()
    made.status("a", 1, b"x")
    first = made.take(0.0)
    assert made.take(RESEND_S - 1) == []
    assert made.take(RESEND_S) == first, "the same sequence, so that an answer to either counts"
    acknowledge(made, first)
    assert made.take(100.0) == [] and made.told


def test_an_acknowledgement_of_older_news_does_not_count_for_newer() -> None:
    made = reporter()
    made.status("a", 1, b"old")
    first = made.take(0.0)
    made.status("a", 1, b"new")
    acknowledge(made, first)
    assert statuses(made.take(0.0)) == [("a", b"new")]


def test_a_new_session_is_told_everything_anew_with_its_epoch() -> None:
    made = reporter()
    made.node(b"node")
    made.status("a", 1, b"x")
    acknowledge(made, made.take(0.0))
    made.disconnected()
    assert made.take(50.0) == []
    made.connected(8)
    taken = made.take(50.0)
    assert [(type(m).__name__, m.epoch) for m in taken] == [("NodeReport", 8), ("PodReport", 8)]


def test_a_gone_pod_is_told_until_acknowledged_even_in_the_next_session() -> None:
    made = reporter()
    made.status("a", 1, b"x")
    made.gone("a")
    assert [type(m).__name__ for m in made.take(0.0)] == ["PodGone"]
    made.connected(8)
    taken = made.take(1.0)
    assert [(type(m).__name__, m.uid) for m in taken] == [("PodGone", "a")]
    acknowledge(made, taken)
    made.connected(9)
    assert made.take(2.0) == []


def test_events_wait_for_a_session_but_not_without_end() -> None:
    made = reporter(epoch=None)
    for number in range(EVENTS_MOST + 5):
        made.happened("a", Note("Normal", "Started", str(number)))
    made.connected(7)
    taken = made.take(0.0)
    assert len(taken) == EVENTS_MOST and taken[0].message == "5"


def test_the_same_node_document_is_no_news() -> None:
    made = reporter()
    made.node(b"n")
    acknowledge(made, made.take(0.0))
    made.node(b"n")
    assert made.take(0.0) == []


def test_what_the_master_does_not_want_is_dropped() -> None:
    made = reporter()
    made.status("a", 1, b"x")
    made.drop("a")
    assert made.take(0.0) == [] and made.told
