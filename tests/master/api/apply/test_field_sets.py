"""The algebra of field sets, against sets of paths, which is what they mean."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from master.api.apply import sets

STEPS = st.sampled_from(["f:a", "f:b", 'k:{"name":"x"}', 'v:"y"'])
PATHS = st.frozensets(st.lists(STEPS, min_size=1, max_size=4).map(tuple), max_size=8)


def paths(fields: sets.FieldSet) -> set[tuple[str, ...]]:
    return set(sets.paths(fields))


@given(PATHS)
def test_a_set_has_the_paths_it_is_made_of_and_no_other(members):
    made = sets.of(*members)
    assert paths(made) == members
    assert all(sets.has(made, path) for path in members)
    assert not sets.has(made, ("f:z",))


@given(PATHS)
def test_a_set_is_read_back_as_it_was_stored(members):
    made = sets.of(*members)
    assert sets.parse(msgspec.json.decode(msgspec.json.encode(made))) == made


@given(PATHS, PATHS)
def test_the_operations_are_those_of_sets_of_paths(left, right):
    one, other = sets.of(*left), sets.of(*right)
    assert sets.union(one, other) == sets.of(*(left | right))
    assert sets.intersection(one, other) == sets.of(*(left & right))
    assert sets.difference(one, other) == sets.of(*(left - right))
    below = {path for path in left if not any(path[: len(doomed)] == doomed for doomed in right)}
    assert sets.without(one, other) == sets.of(*below)
    assert (one, other) == (sets.of(*left), sets.of(*right)), "nothing changes its arguments"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        pytest.param(("f:spec", "f:replicas"), ".spec.replicas", id="fields"),
        pytest.param(("f:data", "f:a.b/c"), ".data.a.b/c", id="a key with dots is not quoted"),
        pytest.param(("f:containers", 'k:{"name":"web"}', "f:image"), '.containers[name="web"].image', id="an item by one key"),
        pytest.param(("f:ports", 'k:{"protocol":"TCP","containerPort":80}'), '.ports[containerPort=80,protocol="TCP"]', id="keys in order"),
        pytest.param(("f:finalizers", 'v:"x"'), '.finalizers[="x"]', id="an item of a set"),
        pytest.param(("f:args", "i:2"), ".args[2]", id="an item by its place"),
    ],
)
def test_a_path_is_written_as_kubernetes_writes_it(path, text):
    assert sets.text(path) == text


@pytest.mark.parametrize(
    "given_", [[], "x", {"x": {}}, {"f:a": []}, {"k:{": {}}, {"k:[]": {}}, {"k:{}": {}}, {"v:{}": {}}, {"i:x": {}}, {"fa": {}}]
)
def test_what_is_no_field_set_is_refused(given_):
    with pytest.raises(ValueError):
        sets.parse(given_)


def test_keys_are_brought_into_their_one_form():
    assert sets.parse({'k:{"protocol": "TCP", "containerPort": 80}': {".": {}}}) == {'k:{"containerPort":80,"protocol":"TCP"}': {}}
