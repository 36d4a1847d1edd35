"""Strategic merge against two definitions, on random documents of every built-in kind: a difference, applied, gives the target; and a random
patch with all its directives does what a slow and obvious reading of it says."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given

from master.api import strategic
from master.api.registry import Resource
from master.api.schema import Node, Type
from tests.master.properties.making import KINDS, SEEDS, Maker, examples, is_keyed, named, node_of

ABSENT = object()
Json = Any


def merges(node: Node | None) -> bool:
    return node is not None and node.type is Type.ARRAY and "merge" in node.patch_strategy


def replaced(node: Node | None) -> bool:
    """Its schema says that a patch takes its place."""
    return node is not None and "replace" in node.patch_strategy


def key_of(item: Json, node: Node) -> Json:
    return (type(item), item) if not node.merge_key else item[node.merge_key]


# ------------------------------------------------------------- the difference of two documents, as clients compute it


def difference(old: dict[str, Any], new: dict[str, Any], node: Node | None) -> dict[str, Any]:
    patch: dict[str, Any] = {key: None for key in old if key not in new}
    for key, after in new.items():
        before, child = old.get(key, ABSENT), node.child(key) if node is not None else None
        if before == after and type(before) is type(after):
            continue
        if isinstance(before, dict) and isinstance(after, dict) and not replaced(child):
            patch[key] = difference(before, after, child)
            if child is not None and "retainKeys" in child.patch_strategy:
                patch[key]["$retainKeys"] = list(after)
        elif isinstance(before, list) and isinstance(after, list) and merges(child):
            assert child is not None
            patch |= list_difference(key, before, after, node=child)
        else:
            patch[key] = after
    return patch


def list_difference(field: str, before: list[Any], after: list[Any], *, node: Node) -> dict[str, Any]:
    old, new = {key_of(item, node): item for item in before}, {key_of(item, node): item for item in after}
    gone = [item for key, item in old.items() if key not in new]
    if not node.merge_key:
        found: dict[str, Any] = {f"$setElementOrder/{field}": after}
        if gone:
            found[f"$deleteFromPrimitiveList/{field}"] = gone
        if added := [item for key, item in new.items() if key not in old]:
            found[field] = added
        return found
    name = node.merge_key
    items: list[Any] = [{"$patch": "delete", name: item[name]} for item in gone]
    for key, item in new.items():
        if key not in old:
            items.append(item)
        elif old[key] != item:
            items.append({**difference(old[key], item, node.items), name: item[name]})
            if "retainKeys" in node.patch_strategy:
                items[-1]["$retainKeys"] = list(item)
    return {f"$setElementOrder/{field}": [{name: item[name]} for item in after], **({field: items} if items else {})}


@pytest.mark.parametrize("resource", KINDS, ids=named)
def test_a_difference_applied_gives_the_target(resource: Resource) -> None:
    @examples(20)
    @given(SEEDS)
    def check(seed: int) -> None:
        make, node = Maker(seed), node_of(resource)
        old = make.document(resource)
        new = make.changed(old, node)
        patch = difference(old, new, node)
        before = copy.deepcopy((old, patch))
        assert strategic.merge(old, patch, node) == new
        assert (old, patch) == before, "an argument was changed"

    check()


# ------------------------------------------------------------------------------------ what a patch means, slowly


def plain(value: Json) -> Json:
    """Of a value that stands nowhere yet: no directives, no nulls."""
    if isinstance(value, list):
        return [plain(item) for item in value if not (isinstance(item, dict) and item.get("$patch") in ("delete", "replace"))]
    if not isinstance(value, dict):
        return value
    if value.get("$patch") == "delete":
        return {}
    return {key: plain(part) for key, part in value.items() if part is not None and not key.startswith("$")}


def meaning(old: Json, patch: Json, node: Node | None) -> Json:
    if not (isinstance(old, dict) and isinstance(patch, dict)) or replaced(node):
        return plain(patch)
    if patch.get("$patch") == "replace":
        return plain({key: part for key, part in patch.items() if key != "$patch"})
    if patch.get("$patch") == "delete":
        return {}
    left = {key: part for key, part in old.items() if "$retainKeys" not in patch or key in patch["$retainKeys"]}
    spoken_of = [key.rpartition("/")[2] if key.startswith("$") else key for key in patch if key not in ("$patch", "$retainKeys")]
    for field in dict.fromkeys((*left, *spoken_of)):
        child = node.child(field) if node is not None else None
        if field in patch and patch[field] is None:
            left.pop(field, None)
        elif merges(child) and (isinstance(left.get(field), list) or f"$setElementOrder/{field}" in patch):
            assert child is not None
            present, doomed = left.get(field) or [], patch.get(f"$deleteFromPrimitiveList/{field}", [])
            if field in patch or field in left:
                result = list_meaning(present, patch.get(field), patch.get(f"$setElementOrder/{field}"), node=child)
                left[field] = [item for item in result if isinstance(item, dict) or item not in doomed]
        elif field in patch:
            left[field] = meaning(left.get(field, ABSENT), patch[field], child)
    return left


def list_meaning(present: list[Any], patch: list[Any] | None, order: list[Any] | None, *, node: Node) -> list[Any]:
    """The patch's items are worked in; what is named stands as named, all else as it stood, interleaved by where it stood."""
    patch = patch or []
    directives = [(item.get("$patch"), item) for item in patch if isinstance(item, dict) and "$patch" in item]
    if any(word == "replace" for word, _ in directives):
        present = []
    gone = [key_of(item, node) for word, item in directives if word == "delete"]
    present = [item for item in present if key_of(item, node) not in gone]
    said = [item for item in patch if not (isinstance(item, dict) and "$patch" in item)]
    items = list(present)
    for item in said:
        place = [key_of(other, node) for other in items].index(key_of(item, node)) if key_of(item, node) in [key_of(o, node) for o in items] else None
        if place is None:
            items.append(plain(item))
        elif node.merge_key:
            items[place] = meaning(items[place], item, node.items)
    names = [key_of(item, node) for item in (order if order is not None else said)]
    stood = [key_of(item, node) for item in present]
    named_items = sorted((item for item in items if key_of(item, node) in names), key=lambda item: names.index(key_of(item, node)))
    others = [item for item in items if key_of(item, node) not in names]
    result: list[Any] = []
    while named_items or others:
        if not named_items:
            result.append(others.pop(0))
        elif not others:
            result.append(named_items.pop(0))
        else:
            other, this = key_of(others[0], node), key_of(named_items[0], node)
            earlier = other in stood and this in stood and stood.index(other) < stood.index(this)
            result.append(others.pop(0) if earlier else named_items.pop(0))
    return result


class Patches:
    """Random patches of a document, with every directive."""

    def __init__(self, make: Maker) -> None:
        self.make, self.rng = make, make.rng

    def of(self, old: dict[str, Any], node: Node, *, top: bool = False) -> dict[str, Any]:
        chance = self.make.chance
        if not top and chance(6):
            return {"$patch": "delete"}
        patch: dict[str, Any] = {}
        fresh = self.make.value(node, 5)
        for field in dict.fromkeys((*old, *fresh)):
            child = node.child(field)
            if child is None or not chance(55):
                continue
            if chance(12):
                patch[field] = None
            elif field not in old:
                patch[field] = fresh[field]
            elif isinstance(old[field], dict) and (child.fields or child.values):
                patch[field] = self.of(old[field], child)
            elif merges(child):
                patch |= self.list(field, old[field], child)
            else:
                patch[field] = self.make.changed(old[field], child, 5)
        if not top and chance(8):
            patch["$patch"] = "replace"
        elif chance(12):
            patch["$retainKeys"] = [key for key in dict.fromkeys((*patch, *old)) if not key.startswith("$") and (key in patch or chance(50))]
        return patch

    def list(self, field: str, old: list[Any], node: Node) -> dict[str, Any]:
        chance, found = self.make.chance, dict[str, Any]()
        if not node.merge_key:
            said = self.make.value(node, 5)
            if chance(50):
                found[f"$deleteFromPrimitiveList/{field}"] = [item for item in old if item not in said and chance(50)]  # both at once has no meaning
        else:
            assert node.items is not None
            name, said = node.merge_key, []
            for item in self.make.unique([*old, *(self.make.item(node, 6) for _ in range(self.rng.randrange(2)))], node):
                if item not in old:
                    said.append(item)
                elif chance(30):
                    said.append({"$patch": "delete", name: item[name]})
                elif chance(50):
                    changes = {key: part for key, part in self.of(item, node.items, top=True).items() if key != name}
                    if "$retainKeys" in changes:
                        changes["$retainKeys"] = list(dict.fromkeys((*changes["$retainKeys"], name)))
                    said.append({**changes, name: item[name]})
            if chance(8):
                said.append({"$patch": "replace"})
        if said:
            found[field] = said
        if chance(60):
            found[f"$setElementOrder/{field}"] = self._order(old, said, node)
        return found

    def _order(self, old: list[Any], said: list[Any], node: Node) -> list[Any]:
        """All that the patch sets, in its order, and some of what else there is anywhere between."""
        shown = [item if not node.merge_key else {node.merge_key: item[node.merge_key]} for item in said if not (isinstance(item, dict) and "$patch" in item)]
        order = list(shown)
        for item in old:
            short = item if not node.merge_key else {node.merge_key: item[node.merge_key]}
            if short not in order and self.make.chance(70):
                order.insert(self.rng.randrange(len(order) + 1), short)
        return order


@pytest.mark.parametrize("resource", KINDS, ids=named)
def test_a_patch_does_what_it_means(resource: Resource) -> None:
    @examples(30)
    @given(SEEDS)
    def check(seed: int) -> None:
        make, node = Maker(seed), node_of(resource)
        old = make.document(resource)
        patch = Patches(make).of(old, node, top=True)
        before = copy.deepcopy((old, patch))
        assert strategic.merge(old, patch, node) == meaning(old, patch, node), patch
        assert (old, patch) == before, "an argument was changed"

    check()


def test_documents_are_not_all_the_same() -> None:
    """The properties would hold of nothing, too."""
    pods = next(resource for resource in KINDS if resource.key == "pods")
    made = [Maker(seed).document(pods) for seed in range(300)]
    assert len({str(document) for document in made}) > 200
    assert sum(len(document.get("spec", {}).get("containers", ())) > 1 for document in made) > 30
    patches = [Patches(Maker(seed)).of(document, node_of(pods), top=True) for seed, document in enumerate(made)]
    for directive in ("$retainKeys", "$patch", "$setElementOrder/", "$deleteFromPrimitiveList/"):
        assert any(directive in str(patch) for patch in patches), directive
    assert is_keyed(node_of(pods).fields["spec"].fields["containers"])
