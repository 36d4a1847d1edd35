"""containerd's native events, decoded by hand: what is understood, and that nonsense is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.runtime import containerd_events as native


def field(number: int, content: bytes) -> bytes:
    assert len(content) < 128
    return bytes([number << 3 | 2, len(content)]) + content


def envelope(topic: str, container_id: str, process: str) -> bytes:
    payload = field(1, container_id.encode()) + field(2, process.encode()) + b"\x18\x2a"
    return field(1, b"\x08\x01") + field(2, b"k8s.io") + field(3, topic.encode()) + field(4, field(1, b"type") + field(2, payload))


def test_an_exit_names_its_container() -> None:
    assert native.envelope(envelope("/tasks/exit", "abc", "abc")) == native.TaskEvent("/tasks/exit", "abc")


def test_the_end_of_a_command_in_a_container_is_not_the_containers() -> None:
    assert native.envelope(envelope("/tasks/exit", "abc", "exec-1")) is None


def test_other_topics_are_of_no_interest() -> None:
    assert native.envelope(envelope("/images/create", "abc", "abc")) is None


def test_the_subscription_asks_for_our_namespace_alone() -> None:
    filters = [value.decode() for number, value in native.fields(native.subscribe_request()) if number == 1]
    assert filters == ['namespace==k8s.io,topic=="/tasks/exit"', 'namespace==k8s.io,topic=="/tasks/oom"']


@pytest.mark.parametrize("data", [b"\x22\xff\x01", b"\xff" * 12, b"\x0b", b"\x80"], ids=["cut off", "endless number", "a group", "half a number"])
def test_nonsense_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        native.envelope(data)


@given(st.binary(max_size=200))
def test_no_bytes_do_more_harm_than_a_value_error(data: bytes) -> None:
    try:
        native.envelope(data)
    except ValueError:
        pass
