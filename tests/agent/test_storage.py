"""What pods keep on the disk, against what they may: in the kubelet's words and its order."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agent import storage as measuring
from agent.lifecycle import life, storage
from agent.lifecycle.life import Host, Moment, PodLife, Waiting
from agent.lifecycle.step import step
from agent.lifecycle.storage import Written
from agent.runtime.contract import ObservedContainer, ObservedSandbox, State
from tests.agent import pods


def limited(name: str, amount: str | None, **more: object) -> dict:
    return pods.container(name, resources={"limits": {"ephemeral-storage": amount}} if amount else {}, **more)


POD = pods.document(
    volumes=[{"name": "x", "emptyDir": {"sizeLimit": "1Mi"}}, {"name": "m", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}],
    containers=[limited("app", "2Mi"), limited("side", "1Mi"), limited("free", None)],
)
MI = 1 << 20


@pytest.mark.parametrize(
    ("written", "words"),
    [
        pytest.param(Written({"x": MI}, {"app": 2 * MI}), None, id="all within their limits, exactly"),
        pytest.param(Written({"x": MI + 1}, {"app": 9 * MI}), 'Usage of EmptyDir volume "x" exceeds the limit "1Mi". ', id="a volume first"),
        pytest.param(Written({"m": 9}, {"app": MI, "free": 3 * MI}),
                     "Pod ephemeral local storage usage exceeds the total limit of containers 3Mi. ", id="all that it wrote"),
        pytest.param(Written({}, {"side": MI + 1}), 'Container side exceeded its local ephemeral storage limit "1Mi". ', id="one container"),
    ],
)  # fmt: skip
def test_what_is_exceeded(written: Written, words: str | None) -> None:
    found = storage.excess(storage.limits(pods.view(POD)), written)
    assert found == (None if words is None else Waiting("Evicted", words))


def test_a_pod_without_limits_is_not_measured() -> None:
    view = pods.view(pods.document(volumes=[{"name": "x", "emptyDir": {}}, {"name": "m", "emptyDir": {"medium": "Memory", "sizeLimit": "1"}}]))
    assert not storage.limits(view)


@pytest.mark.parametrize(
    ("spec", "total"),
    [
        pytest.param({"containers": [limited("a", "1G")]}, "1G", id="one: as it is written"),
        pytest.param({"containers": [limited("a", "1Gi"), limited("b", "512Mi")]}, "1536Mi", id="several: their sum"),
        pytest.param({"initContainers": [limited("i", "3Gi")], "containers": [limited("a", "1Gi")]}, "3Gi", id="an init container's is more"),
        pytest.param({"initContainers": [limited("i", "3Gi", restartPolicy="Always")], "containers": [limited("a", "1Gi")]}, "4Gi",
                     id="a sidecar's is beside them"),
    ],
)  # fmt: skip
def test_the_limit_of_a_whole_pod(spec: dict, total: str) -> None:
    assert storage.limits(pods.view(pods.document(**spec))).total == total


def test_an_evicted_pod_is_killed_at_once_failed_and_all_it_kept_goes() -> None:
    why = Waiting("Evicted", 'Usage of EmptyDir volume "x" exceeds the limit "1Mi". ')
    running = ObservedContainer("app-0", "app", 0, State.RUNNING)
    sandbox = ObservedSandbox("s", "uid-web", "default", "web", 0, True, containers=(running,))
    host, now = Host(tokens={}), Moment(0.0, 5.0)
    first = step(pods.view(POD), PodLife(live=True, evicted=why), [sandbox], now=now, host=host)
    assert isinstance(first.action, life.StopContainers) and first.action.grace_s == 0.0
    assert ("Warning", "Evicted", why.message) in [(note.type, note.reason, note.message) for note in first.notes]
    assert (first.life.finished, first.life.ended_for) == ("Failed", why)
    ended = ObservedContainer("app-0", "app", 0, State.EXITED, exit_code=137)
    over = ObservedSandbox("s", "uid-web", "default", "web", 0, False, containers=(ended,))
    last = step(pods.view(POD), first.life, [over], now=now, host=host)
    assert isinstance(last.action, life.ReleaseVolumes)
    freed = step(pods.view(POD), life.replace(last.life, released=True), [over], now=now, host=host)
    assert freed.action == life.RemoveSandbox("s")
    nothing = step(pods.view(POD), freed.life, [], now=now, host=host)
    assert (nothing.action, nothing.gone) == (None, False)


def test_what_is_on_the_disk_is_measured_without_following_links(tmp_path: Path) -> None:
    (tmp_path / "a/deep").mkdir(parents=True)
    (tmp_path / "a/deep/file").write_bytes(b"x" * 300_000)
    (tmp_path / "b with space").mkdir()
    (tmp_path / "b with space/link").symlink_to(tmp_path / "a/deep/file")
    found = asyncio.run(measuring.sizes([tmp_path / "a", tmp_path / "b with space", tmp_path / "absent"]))
    assert set(found) == {tmp_path / "a", tmp_path / "b with space"}
    assert 300_000 <= found[tmp_path / "a"] < 400_000 and found[tmp_path / "b with space"] < 100_000
    assert measuring.log_bytes(tmp_path / "a/deep") == 300_000 and measuring.log_bytes(tmp_path / "absent") == 0
