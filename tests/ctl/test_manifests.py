"""Manifests: where they are found, what is read out of them, and what is said about those that cannot be read."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import click
import pytest

from ctl import manifests

ONE = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"


def names(found: list[manifests.Manifest]) -> list[str]:
    return [each.name for each in found]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        pytest.param(ONE, ["a"], id="one"),
        pytest.param(ONE + b"---\n" + ONE.replace(b"a}", b"b}"), ["a", "b"], id="two"),
        pytest.param(b"---\n# nothing\n---\n" + ONE + b"--- # the end\n", ["a"], id="empty documents are passed over"),
        pytest.param(b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"j"}}', ["j"], id="json"),
        pytest.param(b"{apiVersion: v1, kind: ConfigMap, metadata: {name: f}}", ["f"], id="a flow mapping"),
        pytest.param(
            b'{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"l"}}]}', ["l"], id="a list",
        ),
        pytest.param(ONE + b"data:\n  text: |\n    a\n    --- b\n    ---c\n", ["a"], id="a divider within a text"),
    ],
)
def test_documents(body: bytes, found: list[str]):
    assert names(manifests.parse(body, "x")) == found


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param(b"a: [", "x: error converting YAML to JSON: yaml: line 2", id="broken"),
        pytest.param(ONE + b"---\nkind: Pod\n", "x, document 2: apiVersion is not set", id="without a version"),
        pytest.param(b"- a\n", "x: not an object, but a list", id="a list of something"),
        pytest.param(b"apiVersion: v1\nkind: Pod\n", "x: Pod has no metadata", id="without metadata"),
        pytest.param(b"apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  name: b\n", r'x: line 5: key "name" already set in map: take one of them out', id="a field twice"),
        pytest.param(b"apiVersion: v1\nkind: List\nitems: [1]\n", r"x, items\[0\]: not an object", id="in a list"),
        pytest.param(b"a: &x 1\nb: *x\n", "x: the YAML provided has aliases", id="aliases"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_place(body: bytes, said: str):
    with pytest.raises(click.ClickException, match=said):
        manifests.parse(body, "x")


def test_folders_files_and_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "in").mkdir()
    for name, of in (("b.yml", "b"), ("a.yaml", "a"), ("c.txt", "c"), ("in/d.json", "d")):
        (tmp_path / name).write_bytes(ONE.replace(b"a}", f"{of}}}".encode()))
    assert names(manifests.read((str(tmp_path),))) == ["a", "b"]
    assert names(manifests.read((str(tmp_path),), recursive=True)) == ["a", "b", "d"]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(ONE)))
    assert names(manifests.read((str(tmp_path / "c.txt"), "-"))) == ["c", "a"]
    with pytest.raises(click.ClickException, match="cannot read .*/nowhere: No such file"):
        manifests.read((str(tmp_path / "nowhere"),))
    (tmp_path / "in" / "d.json").unlink()
    with pytest.raises(click.ClickException, match="no objects in"):
        manifests.read((str(tmp_path / "in"),))
