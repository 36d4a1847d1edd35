"""Applying and updating, on documents: who owns what afterwards, and what the object becomes."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import BadRequest
from master.api import schema
from master.api.apply import last_applied, managers, sets, typed, updater
from master.api.apply.merge import merge

POD = schema.for_kind("v1", "Pod")
CONTAINERS = ("f:spec", "f:containers")


def by(name: str, time: str = "2025-01-01T00:00:00Z") -> updater.Change:
    return updater.Change(name=name, node=POD, api_version="v1", time=time)


def pod(*containers: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": "web", **metadata}, "spec": {"containers": list(containers)}}


def apply(live: dict[str, Any], owners: managers.Managers, name: str, applied: dict[str, Any], *, force: bool = False):
    return last_applied.apply(live, applied, owners, change=by(name), force=force)


def owned(owners: managers.Managers) -> dict[str, list[str]]:
    return {f"{who.name} {who.operation}": [sets.text(path) for path in sets.paths(one.fields)] for who, one in owners.items()}


A, B = {"name": "a", "image": "one"}, {"name": "b", "image": "two"}


def test_the_first_applier_owns_what_it_names_and_no_struct_on_the_way():
    live, owners = apply({}, {}, "me", pod(A, labels={"x": "1"}))
    assert live == pod(A, labels={"x": "1"})
    item = '.spec.containers[name="a"]'
    assert owned(owners) == {"me Apply": [".metadata.labels.x", item, f"{item}.image", f"{item}.name"]}


def test_what_is_named_no_more_goes():
    live, owners = apply({}, {}, "me", pod(A, B, labels={"x": "1", "y": "2"}))
    live, owners = apply(live, owners, "me", pod(B, labels={"y": "2"}))
    assert live == pod(B, labels={"y": "2"})


def test_what_another_owns_stays():
    live, owners = apply({}, {}, "me", pod(A, B, labels={"x": "1"}))
    live, owners = apply(live, owners, "you", pod(A, labels={"x": "1"}))
    live, owners = apply(live, owners, "me", pod(B))
    assert live == pod(A, B, labels={"x": "1"})
    assert ".metadata.labels.x" in owned(owners)["you Apply"]
    assert ".metadata.labels.x" not in owned(owners)["me Apply"]


def test_an_item_that_another_applies_too_keeps_what_the_other_named():
    live, owners = apply({}, {}, "me", pod(A, B))
    live, owners = apply(live, owners, "you", pod({"name": "a", "workingDir": "/"}))
    live, owners = apply(live, owners, "me", pod(B))
    assert live["spec"]["containers"] == [{"name": "a", "workingDir": "/"}, B]


def test_an_item_goes_though_somebody_changed_a_field_in_it():
    live, owners = apply({}, {}, "me", pod(A, B))
    changed = copy.deepcopy(live)
    changed["spec"]["containers"][0]["workingDir"] = "/"
    owners = updater.update(live, changed, owners, change=by("you"))
    live, owners = apply(changed, owners, "me", pod(B))
    assert live["spec"]["containers"] == [B]
    assert "you Update" not in owned(owners)


def test_changing_what_another_owns_is_a_conflict_unless_forced():
    live, owners = apply({}, {}, "me", pod(A))
    wanted = pod({"name": "a", "image": "other"})
    with pytest.raises(updater.Conflicts) as refused:
        apply(live, owners, "you", wanted)
    error = refused.value.error()
    assert error.message == 'Apply failed with 1 conflict: conflict with "me": .spec.containers[name="a"].image'
    assert [(c.reason, c.message, c.field) for c in error.causes] == [
        ("FieldManagerConflict", 'conflict with "me"', '.spec.containers[name="a"].image')
    ]
    live, owners = apply(live, owners, "you", wanted, force=True)
    assert live == wanted
    assert '.spec.containers[name="a"].image' not in owned(owners)["me Apply"]
    assert '.spec.containers[name="a"]' in owned(owners)["me Apply"], "what was not changed is shared"


def test_several_conflicts_are_listed_by_their_owners():
    owners = updater.update({}, pod(A, labels={"x": "1"}), {}, change=by("old"))
    with pytest.raises(updater.Conflicts) as refused:
        apply(pod(A, labels={"x": "1"}), owners, "me", pod({**A, "image": "2"}, labels={"x": "2"}))
    assert refused.value.error().message == (
        'Apply failed with 2 conflicts: conflicts with "old" using v1:\n- .metadata.labels.x\n- .spec.containers[name="a"].image'
    )


def test_an_untracked_object_belongs_to_whoever_was_before():
    with pytest.raises(updater.Conflicts) as refused:
        apply(pod(A), {}, "me", pod({**A, "image": "new"}))
    assert '"before-first-apply" using v1' in refused.value.error().message


def test_an_updater_owns_new_structs_and_takes_what_it_changes():
    first = updater.update({}, pod({**A, "ports": [{"containerPort": 80}]}, labels={"x": "1"}), {}, change=by("one"))
    port = '.spec.containers[name="a"].ports'
    assert [path for path in owned(first)["one Update"] if path.startswith((".metadata", port))] == [
        ".metadata.labels", ".metadata.labels.x", port, f'{port}[containerPort=80,protocol="TCP"]',
        f'{port}[containerPort=80,protocol="TCP"].containerPort',
    ]  # fmt: skip
    second = updater.update(pod(A, labels={"x": "1"}), pod(A, labels={"x": "2"}), first, change=by("two"))
    assert owned(second)["two Update"] == [".metadata.labels.x"]
    assert ".metadata.labels.x" not in owned(second)["one Update"]


def test_a_field_that_goes_is_nobodys():
    live, owners = apply({}, {}, "me", pod(A, labels={"x": "1"}))
    after = updater.update(live, pod(A), owners, change=by("you"))
    assert ".metadata.labels.x" not in owned(after)["me Apply"]
    assert "you Update" not in owned(after)


def test_applying_the_same_again_changes_nothing_not_even_the_time():
    live, owners = apply({}, {}, "me", pod(A))
    again = last_applied.apply(live, pod(A), owners, change=by("me", "2026-01-01T00:00:00Z"), force=False)
    assert again == (live, owners)


def test_old_updaters_are_poured_together():
    owners: managers.Managers = {}
    before = pod(A)
    for n in range(15):
        after = copy.deepcopy(before)
        after["metadata"].setdefault("labels", {})[f"l{n:02}"] = "x"
        owners = updater.update(before, after, owners, change=by(f"m{n:02}", f"2025-01-01T00:00:{n:02}Z"))
        before = after
    updates = {who.name for who in owners}
    assert len(updates) == managers.MAX_UPDATERS
    assert managers.ANCIENT in updates and "m14" in updates and "m00" not in updates
    everything = [path for paths in owned(owners).values() for path in paths]
    assert {f".metadata.labels.l{n:02}" for n in range(15)} <= set(everything), "no field is lost"


def test_who_applied_by_the_client_may_go_on_by_the_server():
    text = '{"apiVersion":"v1","metadata":{"name":"web"},"spec":{"containers":[{"name":"a","image":"one"}]}}'
    live = pod(A, annotations={last_applied.ANNOTATION: text})
    owners = updater.update({}, live, {}, change=by("kubectl-client-side-apply"))
    with pytest.raises(updater.Conflicts):
        apply(live, owners, "somebody", pod({**A, "image": "new"}))
    merged, _ = apply(live, owners, "kubectl", pod({**A, "image": "new"}))
    assert merged["spec"]["containers"][0]["image"] == "new"
    assert '"image":"new"' in merged["metadata"]["annotations"][last_applied.ANNOTATION]


def test_a_field_that_changed_since_the_client_applied_is_a_conflict_still():
    text = '{"apiVersion":"v1","metadata":{"name":"web"},"spec":{"containers":[{"name":"a","image":"older"}]}}'
    live = pod(A, annotations={last_applied.ANNOTATION: text})
    owners = updater.update({}, live, {}, change=by("kubectl-edit"))
    with pytest.raises(updater.Conflicts):
        apply(live, owners, "kubectl", pod({**A, "image": "new"}))


@pytest.mark.parametrize(
    ("live", "applied", "merged"),
    [
        pytest.param("abc", "cb", "acb", id="the applied order holds, others stay before their neighbours"),
        pytest.param("abc", "", "abc", id="nothing applied"),
        pytest.param("", "ba", "ba", id="nothing there"),
        pytest.param("ac", "abc", "abc", id="a new one between two"),
        pytest.param("ab", "xb", "axb", id="a new one before a shared one"),
        pytest.param("xay", "ab", "xayb", id="a new one at the end"),
        pytest.param("bxc", "cb", "xcb", id="those that only the present has stay before the next shared one"),
    ],
)
def test_the_order_of_merged_items(live, applied, merged):
    def of(names: str) -> dict[str, Any]:
        return pod(*({"name": name} for name in names))

    assert merge(of(live), of(applied), POD) == of(merged)


@pytest.mark.parametrize(
    ("containers", "said"),
    [
        pytest.param([A, A], '.spec.containers: duplicate entries for key [name="a"]', id="twice"),
        pytest.param([{"image": "x"}], '.spec.containers: element 0: associative list with keys has an element that omits key field "name"', id="no key"),
    ],
)
def test_items_that_cannot_be_told_apart_are_refused(containers, said):
    with pytest.raises(BadRequest) as refused:
        typed.check_lists(pod(*containers), POD)
    assert refused.value.message.startswith(said)


ENV = st.lists(st.sampled_from("XYZ"), unique=True, min_size=1, max_size=3).flatmap(
    lambda names: st.tuples(*(st.fixed_dictionaries({"name": st.just(n), "value": st.sampled_from(["1", "2"])}) for n in names)).map(list)
)
CONTAINER = st.fixed_dictionaries(
    {"image": st.sampled_from(["i", "j"])}, optional={"env": ENV, "args": st.just(["x"]), "resources": st.just({"limits": {"cpu": "1"}})}
)
PODS = st.builds(
    lambda containers, labels: pod(*({"name": name, **part} for name, part in containers.items()), **({"labels": labels} if labels else {})),
    st.dictionaries(st.sampled_from("abc"), CONTAINER, min_size=1, max_size=3),
    st.dictionaries(st.sampled_from("lmn"), st.sampled_from(["1", "2"]), max_size=3),
)


@given(PODS, PODS)
@settings(max_examples=150, deadline=None)
def test_applied_holds_what_was_applied_and_nothing_else_of_the_same_applier(first, second):
    """Alone on an object, an applier gets exactly what it applies, whatever it applied before."""
    live, owners = apply({}, {}, "me", first)
    live, owners = apply(live, owners, "me", second)
    assert _sorted(live) == _sorted(second)


@given(PODS, PODS)
@settings(max_examples=150, deadline=None)
def test_forced_or_not_all_that_is_applied_stands_there_and_is_owned(first, second):
    live, owners = apply({}, {}, "other", first)
    before = copy.deepcopy((live, owners))
    after, owners_after = apply(live, owners, "me", second, force=True)
    assert (live, owners) == before, "nothing changes its arguments"
    me = by("me").manager(managers.APPLY)
    named = sets.difference(typed.fields_of(second, POD), updater.STRIPPED)
    assert owners_after[me].fields == named
    assert sets.difference(named, typed.fields_of(after, POD)) == {}
    assert not typed.compare(merge(after, second, POD), after, POD).changed, "to apply it again would change nothing"
    for who, one in owners_after.items():
        assert sets.difference(one.fields, typed.fields_of(after, POD)) == {}, f"{who} owns what is not there"


@given(PODS, PODS)
@settings(max_examples=150, deadline=None)
def test_a_comparison_names_what_makes_one_of_the_other(old, new):
    compared = typed.compare(old, new, POD)
    assert compared.same == (_sorted(old) == _sorted(new))
    back = typed.compare(new, old, POD)
    assert (compared.added, compared.removed, compared.modified) == (back.removed, back.added, back.modified)
    assert managers.decode(managers.encode(updater.update(old, new, {}, change=by("x")))) == updater.update(old, new, {}, change=by("x"))


def _sorted(value: Any) -> Any:
    if isinstance(value, list):
        return sorted((_sorted(item) for item in value), key=repr)
    return {key: _sorted(part) for key, part in sorted(value.items())} if isinstance(value, dict) else value
