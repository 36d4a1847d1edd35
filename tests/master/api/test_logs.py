"""Which container's log is read, and what is said when there is none: the kubelet's and the API server's own sentences."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from common.errors import BadRequest, Invalid
from common.objects.pod import Pod
from common.wire.requests import LogRequest
from master.api import logs


def pod(*containers: str, inits: tuple[str, ...] = (), **statuses: dict[str, Any]) -> Pod:
    document = {
        "metadata": {"name": "p", "namespace": "web", "uid": "u1"},
        "spec": {"containers": [{"name": c} for c in containers], "initContainers": [{"name": c} for c in inits]},
        "status": {"containerStatuses": [{"name": name, **status} for name, status in statuses.items()]},
    }
    return msgspec.convert(document, Pod)


RUNNING = {"state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}
ENDED = {"state": {"terminated": {"exitCode": 1}}}
CRASHING = {"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": {"exitCode": 1}}}


def waiting(reason: str) -> dict[str, Any]:
    return {"state": {"waiting": {"reason": reason}}}


def test_the_only_container_needs_no_name() -> None:
    assert logs.choose(pod("a"), "") == "a"


def test_an_init_container_can_be_named() -> None:
    assert logs.choose(pod("a", inits=("i",)), "i") == "i"


@pytest.mark.parametrize(
    ("of", "asked", "text"),
    [
        (pod("a", "b"), "", "a container name must be specified for pod p, choose one of: [a b]"),
        (
            pod("a", "b", inits=("i",)), "",
            "a container name must be specified for pod p, choose one of: [a b] or one of the init containers: [i]",
        ),
        (pod("a"), "z", "container z is not valid for pod p"),
    ],
    ids=["two containers", "two and an init container", "an unknown name"],
)  # fmt: skip
def test_a_container_must_be_clear(of: Pod, asked: str, text: str) -> None:
    with pytest.raises(BadRequest) as refused:
        logs.choose(of, asked)
    assert refused.value.message == text


@pytest.mark.parametrize("status", [RUNNING, ENDED, CRASHING], ids=["running", "ended", "crashed before"])
def test_what_has_run_has_a_log(status: dict[str, Any]) -> None:
    logs.readable(pod("a", a=status), "a", previous=False)


WITHOUT = {
    "being created": (waiting("ContainerCreating"), False, 'container "a" in pod "p" is waiting to start: ContainerCreating'),
    "an image that is missing": (waiting("ErrImagePull"), False, 'container "a" in pod "p" is waiting to start: image can\'t be pulled'),
    "an image still missing": (
        waiting("ImagePullBackOff"), False, 'container "a" in pod "p" is waiting to start: trying and failing to pull image'
    ),
    "no state at all": ({}, False, 'container "a" in pod "p" is waiting to start - no logs yet'),
    "no previous one": (RUNNING, True, 'previous terminated container "a" in pod "p" not found'),
}  # fmt: skip


@pytest.mark.parametrize(("status", "previous", "text"), WITHOUT.values(), ids=WITHOUT)
def test_what_has_no_log_says_why(status: dict[str, Any], previous: bool, text: str) -> None:
    with pytest.raises(BadRequest) as refused:
        logs.readable(pod("a", a=status), "a", previous=previous)
    assert refused.value.message == text


def test_a_pod_that_was_only_just_bound_is_waiting() -> None:
    with pytest.raises(BadRequest, match="waiting to start: ContainerCreating"):
        logs.readable(pod("a"), "a", previous=False)


def test_every_parameter_reaches_the_node() -> None:
    asked = {"follow": "true", "previous": "1", "timestamps": "true", "tailLines": "0", "sinceSeconds": "60", "limitBytes": "9"}
    assert logs.request_of(asked, pod("a"), "a") == LogRequest(
        "web", "p", "u1", "a", follow=True, previous=True, timestamps=True, tail_lines=0, since_s=60, limit_bytes=9
    )


@pytest.mark.parametrize(
    "asked",
    [{"tailLines": "-1"}, {"sinceSeconds": "0"}, {"limitBytes": "0"}, {"sinceSeconds": "1", "sinceTime": "2026-01-01T00:00:00Z"},
     {"tailLines": "few"}, {"sinceTime": "yesterday"}],
    ids=lambda asked: " and ".join(f"{key} {value}" for key, value in asked.items()),
)  # fmt: skip
def test_parameters_that_make_no_sense_are_refused(asked: dict[str, str]) -> None:
    with pytest.raises((BadRequest, Invalid)):
        logs.request_of(asked, pod("a"), "a")
