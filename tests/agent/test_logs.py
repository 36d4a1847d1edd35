"""Reading container logs as `kubectl logs` asks for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from agent.lifecycle.life import ContainerLife, PodLife, Waiting
from agent.logs import Look, PodLogs, in_order
from agent.runtime.contract import ObservedContainer, ObservedSandbox, State
from common.clock import SystemClock, parse_rfc3339
from common.errors import BadRequest, NotFound
from tests.agent import pods

STAMP = "2026-01-31T12:00:{:02d}.123456789Z"


def record(number: int, text: str, *, tag: str = "F", stream: str = "stdout") -> str:
    return f"{STAMP.format(number)} {stream} {tag} {text}\n"


def tried(attempt: int, state: State) -> ObservedContainer:
    return ObservedContainer(id=f"c{attempt}", name="app", attempt=attempt, state=state)


class Case:
    """A pod with tries of its container and their log files."""

    def __init__(self, root: Path, *tries: tuple[State, str], waiting: Waiting | None = None) -> None:
        self.folder = root / "default_web_uid-web" / "app"
        self.folder.mkdir(parents=True)
        for attempt, (_, text) in enumerate(tries):
            (self.folder / f"{attempt}.log").write_text(text)
        self.states = [state for state, _ in tries]
        self.life = PodLife(containers={"app": ContainerLife(waiting=waiting)})
        self.logs = PodLogs(str(root), SystemClock())

    def look(self, uid: str) -> Look | None:
        if uid != "uid-web":
            return None
        containers = tuple(tried(attempt, state) for attempt, state in enumerate(self.states))
        sandbox = ObservedSandbox(id="s", uid=uid, namespace="default", name="web", attempt=0, ready=True, containers=containers)
        return Look(pods.view(pods.document()), self.life, [sandbox])

    def open(self, **query: object):
        asked = {"namespace": "default", "pod": "web", "uid": "uid-web", "container": "app", **query}
        return self.logs.open(asked, self.look)

    def read(self, **query: object) -> str:
        async def collect() -> bytes:
            async with asyncio.timeout(10):
                return b"".join([chunk async for chunk in self.open(**query)])

        return asyncio.run(collect()).decode()


LINES = "".join(record(number, f"line {number}") for number in range(10))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param({}, "".join(f"line {n}\n" for n in range(10)), id="all of it"),
        pytest.param({"tail_lines": 2}, "line 8\nline 9\n", id="the last two lines"),
        pytest.param({"tail_lines": 0}, "", id="no line"),
        pytest.param({"tail_lines": 99}, "".join(f"line {n}\n" for n in range(10)), id="more lines than there are"),
        pytest.param({"since_time": parse_rfc3339(STAMP.format(8))}, "line 8\nline 9\n", id="since a time"),
        pytest.param({"tail_lines": 3, "since_time": parse_rfc3339(STAMP.format(9))}, "line 9\n", id="tail and since: both hold"),
        pytest.param({"tail_lines": 1, "timestamps": True}, f"{STAMP.format(9)} line 9\n", id="with timestamps"),
        pytest.param({"limit_bytes": 10}, "line 0\nlin", id="cut at so many bytes"),
        pytest.param({"since_s": 1}, "", id="nothing that young"),
    ],
)
def test_a_finished_log_is_read(tmp_path: Path, query: dict, expected: str) -> None:
    assert Case(tmp_path, (State.EXITED, LINES)).read(**query) == expected


def test_parts_of_a_line_are_joined_and_both_streams_shown(tmp_path: Path) -> None:
    text = record(0, "one, ", tag="P") + record(0, "two", tag="F") + record(1, "wrong", stream="stderr") + "garbage\n" + record(2, "")
    case = Case(tmp_path, (State.EXITED, text))
    assert case.read() == "one, two\nwrong\n\n"
    assert case.read(timestamps=True).splitlines()[0] == f"{STAMP.format(0)} one, two"


def test_a_long_log_is_tailed_across_blocks(tmp_path: Path) -> None:
    text = "".join(record(n % 60, f"line {n} " + "x" * 300) for n in range(2000))
    shown = Case(tmp_path, (State.EXITED, text)).read(tail_lines=700).splitlines()
    assert len(shown) == 700 and shown[0].startswith("line 1300 ")


def test_the_newest_try_is_shown_and_the_one_before_on_demand(tmp_path: Path) -> None:
    case = Case(tmp_path, (State.EXITED, record(0, "first")), (State.RUNNING, record(1, "second")))
    assert case.read() == "second\n"
    assert case.read(previous=True) == "first\n"


def test_while_it_waits_to_be_restarted_the_previous_try_is_the_last_one(tmp_path: Path) -> None:
    case = Case(tmp_path, (State.EXITED, record(0, "crashed")), waiting=Waiting("CrashLoopBackOff"))
    assert case.read() == "crashed\n"
    assert case.read(previous=True) == "crashed\n"


@pytest.mark.parametrize(
    ("states", "waiting", "query", "words"),
    [
        pytest.param([State.RUNNING], None, {"previous": True}, 'previous terminated container "app" in pod "web" not found', id="no previous"),
        pytest.param([], None, {}, 'container "app" in pod "web" is waiting to start: ContainerCreating', id="not started"),
        pytest.param([], Waiting("ImagePullBackOff"), {}, "is waiting to start: trying and failing to pull image", id="image pull backs off"),
        pytest.param([State.RUNNING], None, {"container": "other"}, "container other is not valid for pod web", id="no such container"),
        pytest.param([State.RUNNING], None, {"tail_lines": "many"}, "log request: ", id="nonsense"),
        pytest.param([State.RUNNING], None, {"namespace": "../.."}, "names no pod", id="a path instead of a name"),
    ],
)
def test_what_cannot_be_shown_is_said_in_kubernetes_words(
    tmp_path: Path, states: list[State], waiting: Waiting | None, query: dict, words: str
) -> None:
    case = Case(tmp_path, *[(state, "") for state in states], waiting=waiting)
    with pytest.raises(BadRequest) as caught:
        case.read(**query)
    assert words in caught.value.message


def test_a_pod_that_is_not_here(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        Case(tmp_path).read(uid="uid-other")


def follow(case: Case, script: Callable[[Case], None], until: str) -> str:
    """Follow while `script` writes; the container ends when `until` was seen."""

    async def main() -> bytes:
        shown = b""
        async with asyncio.timeout(10):
            async for chunk in case.open(follow=True):
                if not shown:
                    script(case)
                shown += chunk
                if until.encode() in shown:
                    case.states[-1] = State.EXITED
        return shown

    return asyncio.run(main()).decode()


def test_a_follower_sees_what_is_written_and_ends_with_the_container(tmp_path: Path) -> None:
    def script(case: Case) -> None:
        with (case.folder / "0.log").open("a") as file:
            file.write(record(1, "then this"))

    assert follow(Case(tmp_path, (State.RUNNING, record(0, "first this"))), script, "then this") == "first this\nthen this\n"


def test_a_follower_goes_on_in_the_new_file_after_a_rotation(tmp_path: Path) -> None:
    def script(case: Case) -> None:
        path = case.folder / "0.log"
        with path.open("a") as file:
            file.write(record(1, "the old file's last"))
        path.rename(path.with_suffix(".log.1"))
        path.write_text(record(2, "the new file's first"))

    shown = follow(Case(tmp_path, (State.RUNNING, record(0, "begin"))), script, "new file's first")
    assert shown == "begin\nthe old file's last\nthe new file's first\n"


def test_a_follower_reads_every_file_that_was_filled_meanwhile(tmp_path: Path) -> None:
    """As Docker leaves them: behind a symbolic link, the newest that was put aside has the number 1."""

    def script(case: Case) -> None:
        real = tmp_path / "x-json.log"
        (case.folder / "0.log").rename(real)
        (case.folder / "0.log").symlink_to(real)
        for text in ("second", "third"):
            for number in (1, 0):
                old = real.with_name(f"{real.name}.{number}" if number else real.name)
                if old.exists():
                    old.rename(real.with_name(f"{real.name}.{number + 1}"))
            real.write_text(record(1, text))
        with (case.folder / "0.log").open("a") as file:
            file.write(record(2, "end"))

    assert follow(Case(tmp_path, (State.RUNNING, record(0, "first"))), script, "end") == "first\nsecond\nthird\nend\n"


def test_the_order_of_a_logs_files(tmp_path: Path) -> None:
    for name in ("0.log", "0.log.20260101-000002", "0.log.20260101-000001", "0.log.20251231-000001.gz", "0.log.20260101-000003.tmp", "0.log.x"):
        (tmp_path / name).touch()
    assert [each.name for each in in_order(tmp_path / "0.log")] == ["0.log.20260101-000001", "0.log.20260101-000002", "0.log"]


def test_a_half_written_line_waits_for_its_rest(tmp_path: Path) -> None:
    whole = record(1, "written in two parts")

    def script(case: Case) -> None:
        with (case.folder / "0.log").open("a") as file:
            file.write(whole[20:])

    shown = follow(Case(tmp_path, (State.RUNNING, record(0, "begin") + whole[:20])), script, "two parts\n")
    assert shown == "begin\nwritten in two parts\n"


def test_logs_go_with_their_pod_and_nothing_else(tmp_path: Path) -> None:
    case = Case(tmp_path, (State.EXITED, LINES))
    other = tmp_path / "default_other_uid-other"
    other.mkdir()
    case.logs.discard(msgspec.structs.replace(case.look("uid-web").observed[0]), "app/0.log")
    assert not (case.folder / "0.log").exists() and case.folder.exists()
    case.logs.discard_pod(namespace="default", name="web", uid="uid-web")
    assert not case.folder.exists() and other.exists()
