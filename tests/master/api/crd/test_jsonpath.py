"""Paths of printer columns and scale subresources."""

from __future__ import annotations

from typing import Any

import pytest

from master.api.crd import jsonpath

DOCUMENT: dict[str, Any] = {
    "metadata": {"labels": {"a.b/c": "x"}},
    "spec": {"n": 3, "hosts": [{"name": "a"}, {"name": "b"}], "on": False},
    "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Other", "status": "False"}]},
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".spec.n", [3]), (".spec.none", []), (".spec.n.deeper", []), (".spec.hosts[0].name", ["a"]), (".spec.hosts[-1].name", ["b"]),
        (".spec.hosts[9].name", []), (".spec.hosts[*].name", ["a", "b"]), (".metadata.labels['a.b/c']", ["x"]),
        (r".metadata.labels.a\.b/c", ["x"]), ('.status.conditions[?(@.type=="Ready")].status', ["True"]),
        (".status.conditions[?(@.type!='Ready')].status", ["False"]), ("{.spec.n}", [3]), ("$.spec.n", [3]), (".spec.on", [False]),
    ],
)  # fmt: skip
def test_paths(path: str, found: list[Any]) -> None:
    assert jsonpath.find(DOCUMENT, path) == found


@pytest.mark.parametrize("path", ["", "spec", ".spec[", ".spec[?(@.a>1)]", "..spec", ".a" * 1000])
def test_paths_that_cannot_be_read(path: str) -> None:
    with pytest.raises(ValueError):
        jsonpath.compiled(path)


def test_paths_of_fields() -> None:
    assert jsonpath.field_path(".spec.replicas") == ("spec", "replicas")
    with pytest.raises(ValueError):
        jsonpath.field_path(".spec.hosts[0]")
