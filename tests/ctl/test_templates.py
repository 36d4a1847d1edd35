"""What -o jsonpath, -o custom-columns and --sort-by make of documents."""

from __future__ import annotations

import pytest

from ctl import templates

POD = {"kind": "Pod", "metadata": {"name": "web", "labels": {"app": "w"}}, "spec": {"n": 2, "on": True, "containers": [{"name": "a"}, {"name": "b"}]}}
LIST = {"kind": "List", "items": [POD, {"kind": "Pod", "metadata": {"name": "db"}, "spec": {"n": 10}}]}


@pytest.mark.parametrize(
    ("template", "printed"),
    [
        pytest.param("{.metadata.name}", "web", id="a path"),
        pytest.param(".metadata.name", "web", id="a path without braces"),
        pytest.param("metadata.name", "web", id="a path without its dot"),
        pytest.param("{.spec.containers[*].name}", "a b", id="several values"),
        pytest.param("name is {.metadata.name}{\"\\n\"}", "name is web\n", id="text around it"),
        pytest.param('{range .spec.containers[*]}{.name}{"\\t"}{@.name}{"\\n"}{end}', "a\ta\nb\tb\n", id="a range"),
        pytest.param("{range .spec.containers[*]}{.name}{','}{end}", "a,b,", id="single quotes"),
        pytest.param("{.metadata.labels}", '{"app":"w"}', id="a map"),
        pytest.param("{.spec.n} {.spec.on}", "2 true", id="numbers and truths"),
        pytest.param("{.none}{.spec.none.deeper}", "", id="what is not there"),
        pytest.param('{"{"}{.kind}{"}"}', "{Pod}", id="braces as text"),
        pytest.param("{$.kind}{@.kind}", "PodPod", id="the root by its names"),
        pytest.param('{.spec.containers[?(@.name=="b")].name}', "b", id="a filter"),
        pytest.param("{..name}", "web a b", id="all of that name"),
    ],
)
def test_jsonpath(template: str, printed: str):
    assert templates.render(templates.parse(template), POD) == printed


def test_a_range_in_a_range():
    document = {"items": [{"n": "x", "m": [1, 2]}, {"n": "y", "m": [3]}]}
    parts = templates.parse("{range .items[*]}{.n}:{range .m[*]}{@}{' '}{end};{end}")
    assert templates.render(parts, document) == "x:1 2 ;y:3 ;"


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{.a", "a brace is not closed"), ("{range .items[*]}{.a}", r"has no \{end\}"), ("{end}", r"without a \{range"), ("{.a[}", "cannot be read"),
        ("{hello}", "begin with a dot"), ("a[", "cannot be read"),
    ],
)  # fmt: skip
def test_templates_that_cannot_be_read_say_why(template: str, said: str):
    with pytest.raises(ValueError, match=said):
        templates.parse(template)


@pytest.mark.parametrize(
    ("spec", "headers", "cells"),
    [
        ("NAME:.metadata.name,N:.spec.n", ["NAME", "N"], ["web", "2"]),
        ("C:.spec.containers[*].name", ["C"], ["a,b"]),
        ("NAME:metadata.name,X:.none", ["NAME", "X"], ["web", "<none>"]),
        ("ON:{.spec.on},M:.metadata.labels", ["ON", "M"], ["true", '{"app":"w"}']),
        ("A:.metadata['name','labels'],B:.kind", ["A", "B"], ['web,{"app":"w"}', "Pod"]),
    ],
)
def test_columns(spec: str, headers: list[str], cells: list[str]):
    found, paths = templates.columns(spec)
    assert (found, templates.row(paths, POD)) == (headers, cells)


@pytest.mark.parametrize("spec", ["", "NAME", "NAME:", ":.a", "A:.a[,B:.b"])
def test_columns_that_cannot_be_read(spec: str):
    with pytest.raises(ValueError):
        templates.columns(spec)


@pytest.mark.parametrize(
    ("path", "order"), [(".metadata.name", [1, 0]), ("{.spec.n}", [0, 1]), ("spec.on", [1, 0])], ids=["words", "numbers", "what lacks it first"]
)
def test_order(path: str, order: list[int]):
    assert templates.ordered(LIST["items"], path) == order


def test_an_order_by_what_nobody_has_is_refused():
    with pytest.raises(ValueError, match="couldn't find any field with path"):
        templates.ordered(LIST["items"], ".nowhere")
