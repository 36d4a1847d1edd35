"""Whatever a client sends as a document or a patch: a result, or an error that is the client's. Never our own."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import CallerFault
from master.api import patch, schema, strategic, strict

POD = schema.for_kind("v1", "Pod")
NAMES = [
    "metadata", "spec", "status", "containers", "name", "env", "ports", "containerPort", "finalizers", "labels", "annotations", "volumes",
    "emptyDir", "resources", "limits", "cpu", "tolerations", "conditions", "type", "managedFields", "fieldsV1", "creationTimestamp", "nonsense",
    "$patch", "$retainKeys", "$setElementOrder/containers", "$setElementOrder/finalizers", "$deleteFromPrimitiveList/finalizers",
    "$setElementOrder/", "$deleteFromPrimitiveList/",
]  # fmt: skip
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["a", "b", "delete", "replace", "merge", "1", "100m", "", "spec", "name", "2025-01-01T00:00:00Z"]),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(NAMES), inner, max_size=4)), max_leaves=20
)
CONTAINERS = st.lists(st.dictionaries(st.sampled_from(["name", "env", "ports", "$patch", "image"]), VALUES, max_size=3), max_size=3)
PODS = st.fixed_dictionaries(
    {"metadata": st.one_of(VALUES, st.fixed_dictionaries({"finalizers": VALUES})), "spec": st.one_of(VALUES, st.fixed_dictionaries({"containers": CONTAINERS}))}
)
PATHS = st.lists(st.sampled_from(["spec", "metadata", "containers", "0", "1", "-", "-1", "name", "", "x~1y"]), max_size=4).map(
    lambda tokens: "".join("/" + token for token in tokens)
)
OPERATIONS = st.lists(
    st.fixed_dictionaries(
        {"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test", "x", None])},
        optional={"path": st.one_of(PATHS, SCALARS), "from": st.one_of(PATHS, SCALARS), "value": VALUES},
    ),
    max_size=6,
)


@settings(max_examples=150, deadline=None)
@given(PODS, st.one_of(PODS, VALUES), OPERATIONS)
def test_patches_give_a_document_or_the_callers_fault(document: dict[str, Any], given_patch: Any, operations: list[Any]) -> None:
    before = copy.deepcopy((document, given_patch, operations))
    for attempt in (
        lambda: strategic.merge(document, given_patch, POD),
        lambda: patch.merge_patch(document, given_patch),
        lambda: patch.json_patch(document, operations),
    ):
        try:
            patched = attempt()
        except CallerFault:
            continue
        assert isinstance(patched, dict)
        assert (document, given_patch, operations) == before, "an argument was changed"
        strict_or_refused(patched)


def strict_or_refused(document: dict[str, Any]) -> None:
    for mode in (strict.STRICT, strict.WARN):
        try:
            cleaned, _ = strict.check(document, POD, mode=mode)
        except CallerFault:
            continue
        strict.missing_required(cleaned, POD)
        assert strict.check(cleaned, POD, mode=strict.STRICT) == (cleaned, []), "what was accepted once is not accepted again"
        msgspec.json.encode(cleaned)


@settings(max_examples=150, deadline=None)
@given(PODS)
def test_an_empty_patch_changes_nothing(document: dict[str, Any]) -> None:
    assert strategic.merge(document, {}, POD) == patch.merge_patch(document, {}) == patch.json_patch(document, []) == document
