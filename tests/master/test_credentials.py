"""The master's keys: made once, kept, never replaced by accident; and the files that the administrator is handed."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from common.clock import SystemRng
from common.errors import Unavailable
from master import credentials


def test_keys_are_made_once_and_are_their_owners_alone(tmp_path: Path) -> None:
    first = credentials.ensure(tmp_path, SystemRng())
    assert credentials.ensure(tmp_path, SystemRng()) == first
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "keys").iterdir()} == {0o600}


@pytest.mark.parametrize("content", ["", "abc", "zz" * 32], ids=["empty", "short", "not hexadecimal"])
def test_a_damaged_key_is_said_and_never_replaced(tmp_path: Path, content: str) -> None:
    credentials.ensure(tmp_path, SystemRng())
    (tmp_path / "keys/signing.ed25519").write_text(content)
    with pytest.raises(Unavailable, match="signing.ed25519 is damaged: put it back from a backup"):
        credentials.ensure(tmp_path, SystemRng())
    assert (tmp_path / "keys/signing.ed25519").read_text() == content


def test_both_files_are_handed_out_twice_and_rewritten_only_when_they_change(tmp_path: Path) -> None:
    own = credentials.ensure(tmp_path, SystemRng())
    out = tmp_path / "elsewhere" / "config"
    kctl = credentials.kctl_config(own, address="10.0.0.1:6446", pair=own.admin, user="me")
    credentials.hand_out(tmp_path, kubeconfig=b"k", kctl=kctl, also=str(out))
    written = [tmp_path / "kctl.json", tmp_path / "admin.kubeconfig", out, out.parent / "kctl.json"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in written} == {0o600}
    config = json.loads((out.parent / "kctl.json").read_text())
    assert (config["endpoint"], config["server_key"]) == ("tcp://10.0.0.1:6446", own.master.public)
    before = [path.stat().st_ino for path in written]
    credentials.hand_out(tmp_path, kubeconfig=b"k", kctl=kctl, also=str(out))
    assert [path.stat().st_ino for path in written] == before


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    own = credentials.ensure(tmp_path, SystemRng())
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="file/kctl.json cannot be written: File exists"):
        credentials.hand_out(tmp_path, kubeconfig=b"k", kctl=b"", also=str(tmp_path / "file/config"))
