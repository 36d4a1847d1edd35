"""The journal: what a restarted agent finds, whatever happened to the files."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.journal import Entry, FileJournal
from tests.agent import pods


def entry(name: str, generation: int = 1, finished: str = "") -> Entry:
    return Entry(f"uid-{name}", generation, pods.encoded(pods.document(name)), finished)


def test_what_was_put_is_loaded_again(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path / "journal")
    journal.put(entry("b"))
    journal.put(entry("a"))
    journal.put(entry("a", 7, "Succeeded"))
    journal.put(entry("c"))
    journal.remove("uid-c")
    journal.remove("uid-never")
    assert FileJournal(tmp_path / "journal").load() == [entry("a", 7, "Succeeded"), entry("b")]


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda data: b"", id="emptied"),
        pytest.param(lambda data: data[: len(data) // 2], id="cut off"),
        pytest.param(lambda data: data.replace(b"example/app", b"example/bad"), id="altered"),
        pytest.param(lambda data: b"\x00" * len(data), id="zeroes"),
        pytest.param(lambda data: data.replace(b"uid-a", b"uid-z"), id="another pod's"),
        pytest.param(lambda data: data.replace(b'"format":1', b'"format":9'), id="of a later version"),
        pytest.param(lambda data: b"[" * 100_000, id="nested without end"),
        pytest.param(lambda data: b" " * (6 << 20), id="far too large"),
    ],
)
def test_a_damaged_entry_is_set_aside_and_costs_nothing_else(tmp_path: Path, damage, caplog: pytest.LogCaptureFixture) -> None:
    journal = FileJournal(tmp_path)
    journal.put(entry("a"))
    journal.put(entry("b"))
    path = tmp_path / "uid-a.json"
    path.write_bytes(damage(path.read_bytes()))
    assert FileJournal(tmp_path).load() == [entry("b")]
    assert (tmp_path / "uid-a.json.damaged").exists() and not path.exists()
    assert "journal-entry-damaged file=uid-a.json" in caplog.text
    again = FileJournal(tmp_path)
    again.load()
    again.put(entry("a", 2))
    assert FileJournal(tmp_path).load() == [entry("a", 2), entry("b")]


def test_a_write_that_was_cut_short_leaves_the_former_entry(tmp_path: Path) -> None:
    FileJournal(tmp_path).put(entry("a"))
    (tmp_path / "uid-a.tmp").write_bytes(b"half of a new one")
    assert FileJournal(tmp_path).load() == [entry("a")]
    assert list(tmp_path.glob("*.tmp")) == []


def test_a_uid_that_is_a_path_is_no_file_name(tmp_path: Path) -> None:
    FileJournal(tmp_path / "journal").put(Entry("../escaped", 1, b"{}"))
    assert not (tmp_path / "escaped.json").exists()


def test_the_files_are_the_agents_alone(tmp_path: Path) -> None:
    FileJournal(tmp_path / "journal").put(entry("a"))
    assert (tmp_path / "journal").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "journal" / "uid-a.json").stat().st_mode & 0o777 == 0o600
