"""What a lab remembers: the file, the lock, the id; and which lab is opened."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import hollow
from lab import open as labs
from lab.contract import LabFault, LabSettings
from lab.hollow import HollowLab
from lab.hosts import HostLab
from lab.processes import Process
from lab.state import Host, State, StateFile, lab_id


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    files = StateFile(tmp_path / "lab")
    assert files.load() is None
    state = State(id="abcd", hosts=[Host("host-1", "10.0.0.1", init=Process(5, 6), services={"kagent": Process(7, 8)})])
    files.save(state)
    assert files.load() == state


def test_saving_the_same_again_does_not_touch_the_file(tmp_path: Path) -> None:
    files = StateFile(tmp_path)
    files.save(State(id="abcd"))
    before = (tmp_path / "state.json").stat().st_mtime_ns, (tmp_path / "state.json").stat().st_ino
    files.save(State(id="abcd"))
    assert ((tmp_path / "state.json").stat().st_mtime_ns, (tmp_path / "state.json").stat().st_ino) == before


DAMAGED = {
    "no JSON": ("{", "is damaged"),
    "a field of the wrong type": ('{"id": 5}', "is damaged"),
    "another version": ('{"id": "abcd", "format": 99}', "another version"),
}


@pytest.mark.parametrize("text, words", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_state_that_cannot_be_read_says_what_to_do(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "state.json").write_text(text)
    with pytest.raises(LabFault, match=f"{words}.*run script/down"):
        StateFile(tmp_path).load()


def test_two_commands_at_once_are_kept_apart(tmp_path: Path) -> None:
    with StateFile(tmp_path).locked():
        with pytest.raises(LabFault, match="another command is working on the lab"), StateFile(tmp_path).locked():
            pass
    with StateFile(tmp_path).locked():
        pass


def test_the_id_follows_from_the_folder(tmp_path: Path) -> None:
    assert lab_id(tmp_path / "a") == lab_id(tmp_path / "b" / ".." / "a")
    assert lab_id(tmp_path / "a") != lab_id(tmp_path / "b")
    assert len(lab_id(tmp_path)) == 4


def test_a_host_that_is_not_there_is_answered_with_those_that_are() -> None:
    with pytest.raises(LabFault, match="no host 'host-9'; it has master, host-1"):
        State(id="abcd", hosts=[Host("master", ""), Host("host-1", "")]).host("host-9")


def test_a_lab_keeps_its_runtime(tmp_path: Path) -> None:
    StateFile(tmp_path).save(State(id="abcd", settings=LabSettings(runtime="hollow")))
    assert isinstance(labs.open_lab(tmp_path), HollowLab)
    with pytest.raises(LabFault, match="a lab with the runtime hollow is in .*: run script/down first"):
        labs.open_lab(tmp_path, LabSettings(runtime="containerd"))


def test_without_a_lab_there_is_nothing_to_show(tmp_path: Path) -> None:
    lab = labs.open_lab(tmp_path)
    assert isinstance(lab, HostLab)
    with pytest.raises(LabFault, match="there is no lab in .*: start one with script/up"):
        lab.status()


@pytest.mark.parametrize(
    ("hosts", "played"),
    [
        pytest.param(2, {"host-1": 1, "host-2": 1}, id="few hosts have a process each"),
        pytest.param(200, {"hollow": 200}, id="many are played by one"),
        pytest.param(4001, {"hollow1": 1334, "hollow2": 1334, "hollow3": 1333}, id="thousands by a few"),
    ],
)
def test_hollow_hosts_are_shared_among_processes(hosts: int, played: dict[str, int]) -> None:
    assert hollow._played(hosts) == played
