"""Strategic merge patch: a merge patch that knows, from the schema, which lists are maps in disguise.

Lists whose schema says `merge` are merged item by item, by their merge key or as sets of scalars; all others are
replaced. A kind without an official schema has no strategic merge: the caller answers UnsupportedMediaType.

    $patch: delete | replace          in an object: empty it, or put the rest of the patch in its place
                                      in an item of a list: drop the item with that key, or keep only the patch's items
    $setElementOrder/FIELD: [...]     the order of the items that the client knows
    $deleteFromPrimitiveList/FIELD    the scalars to drop from a list
    $retainKeys: [...]                the only keys of this object that stay

Order, as apimachinery has it: items that the patch (or its order directive) names stand in the patch's order, the
others in their present order, and both are interleaved by their present places.
Subtle: a value that the document does not have yet is taken from the patch, without the directives and nulls in it: they
speak about something that is not there.
Neither argument is changed; the result may share parts with both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from common.errors import BadRequest, FieldCause, Invalid
from master.api.contract import Document
from master.api.patch import REJECTED, no_object
from master.api.schema import Node, Type

DIRECTIVE = "$patch"
RETAIN_KEYS = "$retainKeys"
ELEMENT_ORDER = "$setElementOrder/"
DELETE_SCALARS = "$deleteFromPrimitiveList/"

BAD_RETAIN_KEYS = "invalid patch format of retainKeys"
BAD_ELEMENT_ORDER = "invalid patch format of setElementOrder list"
BAD_SCALARS = "invalid patch format of primitive list"
LIST_OF_LISTS = "lists of lists are not supported"


def merge(document: Document, patch: Any, node: Node) -> Document:
    """The patched document; neither argument is changed, the result may share parts with both.

    Raises BadRequest for a malformed patch, Invalid for one that cannot be applied.
    """
    if not isinstance(patch, dict):
        raise BadRequest(no_object(patch))
    return _merge_object(document, patch, node)


def _merge_object(original: dict[str, Any], patch: dict[str, Any], node: Node | None) -> dict[str, Any]:
    directive = patch.get(DIRECTIVE)
    if directive == "replace":
        return _without_directives({key: value for key, value in patch.items() if key != DIRECTIVE})
    if directive == "delete":
        return {}
    if DIRECTIVE in patch and directive != "merge":
        raise BadRequest(f"unknown patch type: {str(directive)[:64]} in map: {_go_map(patch)}")
    merged = _retained(original, patch)
    ordered = _merge_ordered(merged, patch, node)
    for key, value in patch.items():
        if key in (DIRECTIVE, RETAIN_KEYS) or key in ordered or key.startswith(ELEMENT_ORDER):
            continue
        if key.startswith(DELETE_SCALARS):
            _delete_scalars(merged, key.removeprefix(DELETE_SCALARS), value)
        elif value is None:
            merged.pop(key, None)
        elif key not in merged:
            merged[key] = _without_directives(value)
        else:
            merged[key] = _merge_value(merged[key], value, node.child(key) if node is not None else None)
    return merged


def _retained(original: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """A copy of the original with only the keys that `$retainKeys` names, which must include what the patch sets."""
    if RETAIN_KEYS not in patch:
        return dict(original)
    named = patch[RETAIN_KEYS]
    if not isinstance(named, list) or not all(isinstance(key, str) for key in named):
        raise BadRequest(BAD_RETAIN_KEYS)
    keys = set(named)
    for key, value in patch.items():
        if value is not None and key not in keys and not key.startswith((RETAIN_KEYS, ELEMENT_ORDER, DELETE_SCALARS)):
            raise BadRequest(BAD_RETAIN_KEYS)
    return {key: value for key, value in original.items() if key in keys}


def _merge_value(original: Any, value: Any, node: Node | None) -> Any:
    if isinstance(original, dict) and isinstance(value, dict):
        if node is not None and "replace" in node.patch_strategy:
            return _without_directives(value)
        return _merge_object(original, value, node)
    if isinstance(original, list) and isinstance(value, list) and node is not None and "merge" in node.patch_strategy:
        return _merge_list(original, value, node)
    return _without_directives(value)


def _merge_ordered(merged: dict[str, Any], patch: dict[str, Any], node: Node | None) -> set[str]:
    """Merge the lists that have an order directive; returns their names, so that they are not merged again."""
    done: set[str] = set()
    for directive, order in patch.items():
        if not directive.startswith(ELEMENT_ORDER):
            continue
        field = directive.removeprefix(ELEMENT_ORDER)
        child = node.child(field) if node is not None else None
        if child is None or child.type is not Type.ARRAY:
            owner = node.name if node is not None else ""
            raise BadRequest(f'unable to find api field in struct {owner} for the json field "{field[:64]}"')
        present, wanted = merged.get(field), patch.get(field)
        if not isinstance(order, list) or not isinstance(wanted, (list, type(None))):
            raise BadRequest(BAD_ELEMENT_ORDER)
        if (field in patch and wanted is None) or not (isinstance(present, list) or wanted):
            continue
        key_of = _key_function(child)
        _check_order(wanted or [], order, key_of)
        base = present if isinstance(present, list) else []
        result = _merge_list(base, wanted, child) if wanted else base
        merged[field] = _in_order(result, order, base, key_of)
        done.add(field)
    return done


def _merge_list(original: list[Any], patch: list[Any], node: Node) -> list[Any]:
    """A list whose strategy is `merge`."""
    kinds = {_kind(item) for item in original} | {_kind(item) for item in patch}
    if list in kinds:
        raise _rejected(LIST_OF_LISTS)
    if len(kinds) > 1:
        raise BadRequest("list element types are not identical: a patch must give items of the kind that the list has")
    key_of = _key_function(node)
    if kinds != {dict}:
        return _in_order(_unique([*original, *patch], key_of), patch, original, key_of)
    if not node.merge_key:
        raise BadRequest("cannot merge lists without merge key for type object")
    present, plain = _apply_item_directives(original, patch, node.merge_key, key_of)
    merged = list(present)
    places: dict[Any, int] = {}
    for place, item in enumerate(present):
        if node.merge_key in item:
            places.setdefault(key_of(item), place)
    for item in plain:
        place = places.get(key_of(item))
        if place is None:
            places[key_of(item)] = len(merged)
            merged.append(_without_directives(item))
        else:
            merged[place] = _merge_object(merged[place], item, node.items)
    return _in_order(merged, plain, present, key_of)


def _apply_item_directives(
    original: list[Any], patch: list[Any], merge_key: str, key_of: Callable[[Any], Any]
) -> tuple[list[Any], list[Any]]:
    """What stays of the original, and the patch's items without `$patch` directives."""
    plain: list[Any] = []
    deleted: set[Any] = set()
    replace = False
    for item in patch:
        directive = item.get(DIRECTIVE)
        if DIRECTIVE not in item:
            plain.append(item)
        elif directive == "delete":
            deleted.add(key_of(item))
        elif directive == "replace":
            replace = True
        elif directive == "merge":
            raise BadRequest("merging lists cannot yet be specified in the patch")
        else:
            raise BadRequest(f"unknown patch type: {str(directive)[:64]} in map: {_go_map(item)}")
    if replace:
        return [], plain
    return [item for item in original if merge_key not in item or key_of(item) not in deleted], plain


def _delete_scalars(merged: dict[str, Any], field: str, values: Any) -> None:
    if not field or not isinstance(values, list) or any(isinstance(value, (dict, list)) for value in values):
        raise BadRequest(BAD_SCALARS)
    present = merged.get(field)
    if isinstance(present, list):
        doomed = {_scalar_key(value) for value in values}
        merged[field] = [item for item in present if isinstance(item, (dict, list)) or _scalar_key(item) not in doomed]


def _check_order(wanted: list[Any], order: list[Any], key_of: Callable[[Any], Any]) -> None:
    """The patch's items must be among those of the order directive, in the same relative order; deletions aside."""
    if not wanted or not order:
        return
    rest = iter([key_of(item) for item in order])
    for item in wanted:
        if isinstance(item, dict) and DIRECTIVE in item:
            continue
        key = key_of(item)
        if not any(other == key for other in rest):
            raise BadRequest("The order in patch list doesn't match $setElementOrder list: name in it all that the patch adds or changes")


def _in_order(items: list[Any], order: list[Any], present: list[Any], key_of: Callable[[Any], Any]) -> list[Any]:
    """Those named by `order` in its order, the others as in `present`, interleaved by their places in `present`."""
    ranks: dict[Any, int] = {}
    for rank, item in enumerate(order):
        ranks.setdefault(key_of(item), rank)
    places: dict[Any, int] = {}
    for place, item in enumerate(present):
        places.setdefault(key_of(item), place)
    named = sorted((item for item in items if key_of(item) in ranks), key=lambda item: ranks[key_of(item)])
    others = sorted((item for item in items if key_of(item) not in ranks), key=lambda item: places.get(key_of(item), len(places)))
    result: list[Any] = []
    waiting = iter(others)
    other = next(waiting, None)
    for item in named:
        place = places.get(key_of(item))
        while other is not None and place is not None and places.get(key_of(other), len(places)) < place:
            result.append(other)
            other = next(waiting, None)
        result.append(item)
    if other is not None:
        result.append(other)
    return [*result, *waiting]


def _key_function(node: Node) -> Callable[[Any], Any]:
    """What identifies an item of this list: the value of its merge key, or the scalar itself."""
    if not node.merge_key:
        return _scalar_key
    merge_key = node.merge_key

    def key_of(item: Any) -> Any:
        if not isinstance(item, dict):
            raise BadRequest("list element types are not identical: a patch must give items of the kind that the list has")
        if merge_key not in item:
            raise BadRequest(f"map: {_go_map(item)} does not contain declared merge key: {merge_key}")
        return _scalar_key(item[merge_key])

    return key_of


def _scalar_key(value: Any) -> Any:
    """Subtle: the type belongs to it, since Python takes true for 1."""
    if isinstance(value, (dict, list)):
        raise _rejected(LIST_OF_LISTS if isinstance(value, list) else "a merge key must be a scalar")
    return (type(value), value)


def _unique(items: list[Any], key_of: Callable[[Any], Any]) -> list[Any]:
    first: dict[Any, Any] = {}
    for item in items:
        first.setdefault(key_of(item), item)
    return list(first.values())


def _kind(item: Any) -> type:
    return type(item) if isinstance(item, (dict, list)) else object


def _without_directives(value: Any) -> Any:
    """A value that is new to the document: its directives and nulls have nothing to speak about."""
    if isinstance(value, list):
        spoken = [item for item in value if not (isinstance(item, dict) and item.get(DIRECTIVE) in ("delete", "replace"))]
        return [_without_directives(item) for item in spoken]
    if not isinstance(value, dict):
        return value
    if value.get(DIRECTIVE) == "delete":
        return {}
    return {
        key: _without_directives(part)
        for key, part in value.items()
        if part is not None and key not in (DIRECTIVE, RETAIN_KEYS) and not key.startswith((ELEMENT_ORDER, DELETE_SCALARS))
    }


def _rejected(why: str) -> Invalid:
    return Invalid(REJECTED, causes=(FieldCause("UnexpectedServerResponse", why),))


def _go_map(value: dict[str, Any]) -> str:
    """As Go prints a map; bounded, since it goes into an error's text."""
    return f"map[{' '.join(f'{key}:{value[key]}' for key in sorted(value))[:256]}]"
