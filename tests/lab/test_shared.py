"""Labs beside one another: what they share goes with the last of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import net, shared


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The namespaces of other labs, as this machine would list them; the record lies in a folder of the test's."""
    namespaces = tmp_path / "netns"
    namespaces.mkdir()
    monkeypatch.setattr(net, "NETNS_FOLDER", namespaces)
    monkeypatch.setattr(shared, "RECORD", tmp_path / "record.json")
    (namespaces / "st-bbbb-host-1").touch()
    return [path.name for path in namespaces.iterdir()]


def test_mount_points_stay_while_another_lab_lives_and_go_with_the_last(others: list[str], tmp_path: Path) -> None:
    folders = [tmp_path / "lib", tmp_path / "lib" / "kmaster"]
    for folder in folders:
        folder.mkdir()
    shared.leave("aaaa", shared.Made([str(folder) for folder in folders]))
    assert all(folder.exists() for folder in folders)
    (net.NETNS_FOLDER / others[0]).unlink()
    shared.leave("bbbb", shared.Made())
    assert not any(folder.exists() for folder in folders)
    assert not shared.RECORD.exists()


def test_a_folder_that_somebody_uses_stays(others: list[str], tmp_path: Path) -> None:
    (net.NETNS_FOLDER / others[0]).unlink()
    folder = tmp_path / "used"
    folder.mkdir()
    (folder / "file").touch()
    shared.leave("aaaa", shared.Made([str(folder)]))
    assert folder.exists()
