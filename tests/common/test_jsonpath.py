"""JSONPath: what a path finds, and which paths cannot be read."""

from __future__ import annotations

from typing import Any

import pytest

from common import jsonpath

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
        (".spec.hosts[0:1].name", ["a"]), (".spec.hosts[-1:].name", ["b"]), (".spec.hosts[::2].name", ["a"]),
        (".spec.hosts[1,0].name", ["b", "a"]), (".spec['n','on']", [3, False]), (".spec.hosts.*.name", ["a", "b"]), ("..name", ["a", "b"]),
        ("..hosts[0].name", ["a"]), ("$..name", ["a", "b"]), (".", [DOCUMENT]), (".spec.hosts[?(@.name>'a')].name", ["b"]),
        (".spec.hosts[?(@.name)].name", ["a", "b"]), (".spec.hosts[?(@.none)].name", []), (".spec.hosts[?(@.name>1)].name", []),
        ('[?(@.type=="x")]', []), (".spec.hosts[?(@.name==\"b\")]", [{"name": "b"}]), (".status.conditions[*]['type','status']", ["Ready", "True", "Other", "False"]),
    ],
)  # fmt: skip
def test_paths(path: str, found: list[Any]) -> None:
    assert jsonpath.find(DOCUMENT, path) == found


@pytest.mark.parametrize("path", ["", "spec", ".spec[", ".spec[?(@.a=~1)]", "..a..b", ".spec hosts", ".a" * 1000])
def test_paths_that_cannot_be_read(path: str) -> None:
    with pytest.raises(ValueError):
        jsonpath.compiled(path)


def test_paths_of_fields() -> None:
    assert jsonpath.field_path(".spec.replicas") == ("spec", "replicas")
    with pytest.raises(ValueError):
        jsonpath.field_path(".spec.hosts[0]")
