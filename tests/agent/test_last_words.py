"""Termination messages: the file a container wrote, its log's end, and what is never read."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from agent.last_words import LastWords
from agent.lifecycle import specs
from agent.lifecycle.life import Host
from agent.runtime.contract import State
from agent.volumes.folders import FolderVolumes
from common.clock import SystemRng
from tests.agent import pods
from tests.agent.test_lifecycle import ran

LINE = b"2026-01-31T12:00:00.123456789Z stderr F "


class Bench:
    def __init__(self, folder: Path, **container: object) -> None:
        self.words = LastWords(str(folder / "pods"), str(folder / "logs"))
        self.pod = pods.view(pods.document(containers=[pods.container("app", **container)]))
        host = Host(volume_root=str(folder / "pods"), log_root=str(folder / "logs"))
        self.spec = specs.container(self.pod, self.pod.spec.containers[0], attempt=0, image="i", env={}, ip="10.0.0.5", host=host)
        self.path = self.spec.files[-1].path
        FolderVolumes(str(folder / "pods"), str(folder / "memory"), SystemRng()).prepare_files(self.spec.files)
        self.log = folder / "logs" / "default_web_uid-web" / "app" / "0.log"
        self.log.parent.mkdir(parents=True)

    def read(self, code: int = 1) -> str:
        return self.words.read(self.pod, ran(state=State.EXITED, code=code))


def test_the_file_is_mounted_where_the_pod_says_and_anybody_may_write_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path, terminationMessagePath="/run/last")
    mount = bench.spec.mounts[-1]
    assert (mount.host_path, mount.container_path, mount.read_only) == (bench.path, "/run/last", False)
    assert Path(mount.host_path).stat().st_mode & 0o777 == 0o666


@pytest.mark.parametrize(
    ("policy", "written", "log", "code", "expected"),
    [
        pytest.param("File", b"bye", LINE + b"in the log\n", 1, "bye", id="the file"),
        pytest.param("File", b"", LINE + b"in the log\n", 1, "", id="an empty file, and no more is asked for"),
        pytest.param("FallbackToLogsOnError", b"", LINE + b"in the log\n", 1, "in the log\n", id="the log when it failed"),
        pytest.param("FallbackToLogsOnError", b"", LINE + b"in the log\n", 0, "", id="not the log when it went well"),
        pytest.param("FallbackToLogsOnError", b"bye", LINE + b"in the log\n", 1, "bye", id="the file before the log"),
        pytest.param("File", b"x" * 9000, b"", 1, "x" * 4096, id="a file's first 4096 bytes"),
        pytest.param("FallbackToLogsOnError", b"", (LINE + b"y" * 99 + b"\n") * 200, 1, ("y" * 99 + "\n") * 20 + "", id="a log's last 2048 bytes"),
        pytest.param("File", b"\xff\x00", b"", 1, "\ufffd\x00", id="whatever bytes"),
    ],
)
def test_what_is_read(tmp_path: Path, policy: str, written: bytes, log: bytes, code: int, expected: str) -> None:
    bench = Bench(tmp_path, terminationMessagePolicy=policy)
    Path(bench.path).write_bytes(written)
    bench.log.write_bytes(log)
    assert bench.read(code)[-len(expected) or None:] == expected
    assert len(bench.read(code)) <= 4096


def test_what_is_no_plain_file_is_not_read(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    path = Path(bench.path)
    path.unlink()
    (tmp_path / "secret").write_text("of the host")
    path.symlink_to(tmp_path / "secret")
    assert bench.read() == ""
    path.unlink()
    os.mkfifo(path)
    assert bench.read() == ""
    path.unlink()
    assert bench.read() == ""


def test_none_is_wished(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    container = msgspec.structs.replace(bench.pod.spec.containers[0], termination_message_path="")
    spec = specs.container(bench.pod, container, attempt=0, image="i", env={}, ip="10.0.0.5", host=Host())
    assert [mount.container_path for mount in spec.mounts] == ["/etc/hosts"]
