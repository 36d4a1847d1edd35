"""JSON patch and JSON merge patch."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from common.errors import BadRequest, Invalid, TooLarge
from master.api import patch

DOCUMENT = {"spec": {"replicas": 1, "list": ["a", "b", "c"], "a/b": {"m~n": 8}, "gone": None}, "n": {"x": {"y": 1}}}


@pytest.mark.parametrize(
    ("document", "operations", "expected"),
    [
        pytest.param({}, [{"op": "add", "path": "/a", "value": 1}], {"a": 1}, id="add a field"),
        pytest.param({"a": [1, 3]}, [{"op": "add", "path": "/a/1", "value": 2}], {"a": [1, 2, 3]}, id="add into a list"),
        pytest.param({"a": [1]}, [{"op": "add", "path": "/a/-", "value": 2}], {"a": [1, 2]}, id="add at a list's end"),
        pytest.param({"a": [1]}, [{"op": "add", "path": "/a/1", "value": 2}], {"a": [1, 2]}, id="add at a list's length"),
        pytest.param({"a": 1}, [{"op": "add", "path": "/a", "value": None}], {"a": None}, id="add null"),
        pytest.param({"a": 1}, [{"op": "replace", "path": "/a", "value": 2}], {"a": 2}, id="replace a field"),
        pytest.param({"a": [1, 2]}, [{"op": "replace", "path": "/a/0", "value": 9}], {"a": [9, 2]}, id="replace an item"),
        pytest.param({"a": 1, "b": 2}, [{"op": "remove", "path": "/a"}], {"b": 2}, id="remove a field"),
        pytest.param({"a": [1, 2, 3]}, [{"op": "remove", "path": "/a/1"}], {"a": [1, 3]}, id="remove an item"),
        pytest.param({"a": [1, 2, 3]}, [{"op": "remove", "path": "/a/-1"}], {"a": [1, 2]}, id="a negative index counts from the end"),
        pytest.param({"a": 1}, [{"op": "move", "from": "/a", "path": "/b"}], {"b": 1}, id="move"),
        pytest.param({"a": [1, 2, 3]}, [{"op": "move", "from": "/a/0", "path": "/a/2"}], {"a": [2, 3, 1]}, id="move within a list"),
        pytest.param({"a": {"x": 1}}, [{"op": "copy", "from": "/a", "path": "/b"}, {"op": "add", "path": "/b/x", "value": 2}], {"a": {"x": 1}, "b": {"x": 2}}, id="a copy is independent"),
        pytest.param({"a": 1}, [{"op": "test", "path": "/a", "value": 1}], {"a": 1}, id="a test that holds"),
        pytest.param({}, [{"op": "test", "path": "/a", "value": None}], {}, id="an absent field tests as null"),
        pytest.param({"a/b": {"m~n": 1}}, [{"op": "replace", "path": "/a~1b/m~0n", "value": 2}], {"a/b": {"m~n": 2}}, id="escaped path"),
        pytest.param({"a": 1}, [{"op": "replace", "path": "", "value": {"b": 1}}], {"b": 1}, id="replace the whole"),
    ],
)  # fmt: skip
def test_json_patch(document: dict[str, Any], operations: Any, expected: Any) -> None:
    before = copy.deepcopy(document)
    assert patch.json_patch(document, operations) == expected
    assert document == before, "the document given was changed"


@pytest.mark.parametrize(
    ("operation", "field", "why"),
    [
        pytest.param({"op": "test", "path": "/spec/replicas", "value": 2}, "/spec/replicas", "test failed", id="a test that fails"),
        pytest.param({"op": "test", "path": "/spec/replicas", "value": True}, "/spec/replicas", "test failed", id="true is not one"),
        pytest.param({"op": "remove", "path": "/spec/none"}, "/spec/none", "missing value", id="remove what is not there"),
        pytest.param({"op": "replace", "path": "/spec/none", "value": 1}, "/spec/none", "missing value", id="replace what is not there"),
        pytest.param({"op": "add", "path": "/none/a", "value": 1}, "/none", "missing value", id="add below what is not there"),
        pytest.param({"op": "add", "path": "/spec/list/9", "value": 1}, "/spec/list/9", "invalid index", id="an index beyond the list"),
        pytest.param({"op": "remove", "path": "/spec/list/x"}, "/spec/list/x", "invalid index", id="an index that is no number"),
        pytest.param({"op": "remove", "path": "/spec/list/-"}, "/spec/list/-", "invalid index", id="the end of a list cannot be removed"),
        pytest.param({"op": "add", "path": "/spec/replicas/x", "value": 1}, "/spec/replicas/x", "missing path", id="below a scalar"),
        pytest.param({"op": "move", "from": "/n", "path": "/n/x"}, "/n/x", "into itself", id="move into itself"),
        pytest.param({"op": "frobnicate", "path": "/n"}, "/n", "unexpected operation", id="an unknown operation"),
        pytest.param({"op": "add", "path": "/n"}, "/n", "needs a value", id="add without a value"),
        pytest.param({"op": "add", "path": "n", "value": 1}, "n", "starts with /", id="a path without its slash"),
        pytest.param({"op": "add", "value": 1}, "None", "starts with /", id="no path"),
        pytest.param({"op": "remove", "path": ""}, "", "not an object", id="nothing is left"),
    ],
)  # fmt: skip
def test_a_json_patch_that_cannot_be_applied(operation: dict[str, Any], field: str, why: str) -> None:
    with pytest.raises(Invalid) as caught:
        patch.json_patch(DOCUMENT, [operation])
    assert caught.value.message == "the server rejected our request due to an error in our request"
    assert caught.value.causes[0].field == field
    assert why in caught.value.causes[0].message


@pytest.mark.parametrize("operations", [{}, "x", [1], None])
def test_a_json_patch_must_be_a_list_of_operations(operations: Any) -> None:
    with pytest.raises(BadRequest):
        patch.json_patch({}, operations)


def test_a_json_patch_is_bounded_in_operations_and_in_what_it_copies() -> None:
    with pytest.raises(TooLarge, match="maximum operations in a JSON patch is 10000, got 10001"):
        patch.json_patch({}, [{"op": "add", "path": "/a", "value": 1}] * 10_001)
    doubling = [{"op": "add", "path": "/a", "value": {}}]
    doubling += [{"op": "copy", "from": "/a", "path": f"/a/{n}"} for n in range(64)]
    with pytest.raises(TooLarge, match="copies and moves"):
        patch.json_patch({}, doubling)


def test_a_json_patch_cannot_dig_deeper_than_a_document_may_be() -> None:
    with pytest.raises(Invalid) as caught:
        patch.json_patch({}, [{"op": "add", "path": "/a" * 101, "value": 1}])
    assert "a path may have 100 parts" in caught.value.causes[0].message
    with pytest.raises(TooLarge, match="copies and moves"):
        patch.json_patch({"a": {}}, [{"op": "copy", "from": "", "path": "/a" * n} for n in range(1, 60)])


@pytest.mark.parametrize(
    ("document", "merge", "expected"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
        ({"a": "b"}, {"a": {"c": 1}}, {"a": {"c": 1}}),
        ({"a": 1}, {}, {"a": 1}),
    ],
)
def test_merge_patch_as_in_rfc_7386(document: dict[str, Any], merge: dict[str, Any], expected: dict[str, Any]) -> None:
    before = copy.deepcopy((document, merge))
    assert patch.merge_patch(document, merge) == expected
    assert (document, merge) == before, "an argument was changed"


@pytest.mark.parametrize("merge", [[], "x", None, 1])
def test_a_merge_patch_must_be_an_object(merge: Any) -> None:
    with pytest.raises(BadRequest):
        patch.merge_patch({}, merge)
