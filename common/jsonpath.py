"""JSONPath as kubectl has it, without what could run away: for kctl's output, and for CRDs' printer columns, scale and selectable fields.

    .spec.replicas     .metadata.labels['a/b']     .spec.hosts[0]     .spec.hosts[1:3]     .spec.hosts[*].name     ['kind','apiVersion']
    .status.conditions[?(@.type=="Ready")].status     .items[?(@.spec.replicas>1)]     .items[?(@.spec.paused)]     ..image

A path is compiled once and then only walks; it finds any number of values, of which a column prints the first. `..` may stand once in a
path: two of them would find the same things again and again.
"""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Step = Callable[[Any], Iterable[Any]]

MAX_CHARS = 1024
_QUOTED = r"""(?:'[^']*'|"[^"]*")"""
_TOKEN = re.compile(
    rf"""(?P<deep>\.\.)(?=[A-Za-z0-9_$*\[])
      | \.?(?P<all>\[\s*\*\s*\]|\*)
      | \.?\[\s*(?P<slice>-?\d*\s*:\s*-?\d*(?:\s*:\s*\d*)?)\s*\]
      | \.?\[\s*(?P<several>(?:{_QUOTED}|-?\d+)(?:\s*,\s*(?:{_QUOTED}|-?\d+))*)\s*\]
      | \.?\[\?\(\s*@(?P<path>[^=!<>]*?)\s*(?:(?P<op>==|!=|<=|>=|<|>)\s*(?P<value>"[^"]*"|'[^']*'|-?[A-Za-z0-9_.]+)\s*)?\)\]
      | \.?(?P<field>(?:\\.|[A-Za-z0-9_$/-])+)""",
    re.VERBOSE,
)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


@functools.lru_cache(maxsize=1024)
def compiled(text: str) -> tuple[Step, ...]:
    """Raises ValueError for what this part of JSONPath does not have."""
    if len(text) > MAX_CHARS:
        raise ValueError(f"a path may have {MAX_CHARS} characters")
    plain = text.strip().removeprefix("{").removesuffix("}").removeprefix("$")
    if not plain.startswith((".", "[")):
        raise ValueError(f"{text!r} is no path: it must begin with a dot")
    steps, at, deep = [], 0, 0
    while at < len(plain) and plain != ".":
        token = _TOKEN.match(plain, at)
        if token is None or (token["field"] and not deep and plain[at] != "."):
            raise ValueError(f"{text!r} cannot be read from {plain[at : at + 32]!r} on")
        if token["deep"] and _descendants in steps:
            raise ValueError(f"{text!r} has .. in it more than once")
        steps.append(_step(token))
        at, deep = token.end(), token["deep"] is not None
    return tuple(steps)


def find(document: Any, text: str) -> list[Any]:
    """The values at the path, in order. Raises ValueError for a path that cannot be read."""
    return walk([document], compiled(text))


def walk(found: list[Any], steps: Iterable[Step]) -> list[Any]:
    for step in steps:
        found = [part for value in found for part in step(value)]
    return found


def field_path(text: str) -> tuple[str, ...]:
    """The names of a path that consists of fields alone (`.spec.replicas`). Raises ValueError for any other."""
    names = []
    for token in re.split(r"(?<!\\)\.", text.removeprefix(".")):
        if not re.fullmatch(r"(?:\\.|[A-Za-z0-9_-])+", token):
            raise ValueError(f"{text!r} must be a path of fields, without lists")
        names.append(token.replace("\\", ""))
    return tuple(names)


def _step(token: re.Match[str]) -> Step:
    if token["deep"] is not None:
        return _descendants
    if token["field"] is not None:
        return _member(re.sub(r"\\(.)", r"\1", token["field"]))
    if token["several"] is not None:
        names = [_literal(part) for part in re.findall(rf"{_QUOTED}|-?\d+", token["several"])]
        return _member(names[0]) if len(names) == 1 else _several([_member(name) for name in names])
    if token["slice"] is not None:
        numbers = [int(part) if part.strip() else None for part in token["slice"].split(":")]
        return lambda value: value[slice(*numbers)] if isinstance(value, list) and numbers[2:] != [0] else ()
    if token["all"] is not None:
        return _members
    return _filter(token["path"], token["op"] or "", token["value"] or "")


def _member(name: str | int) -> Step:
    if isinstance(name, str):
        return lambda value: (value[name],) if isinstance(value, dict) and name in value else ()
    return lambda value: (value[name],) if isinstance(value, list) and -len(value) <= name < len(value) else ()


def _several(steps: list[Step]) -> Step:
    return lambda value: [part for step in steps for part in step(value)]


def _members(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _descendants(value: Any) -> Iterator[Any]:
    """The value itself, and all that is in it, the upper first."""
    yield value
    for member in _members(value):
        if isinstance(member, dict | list):
            yield from _descendants(member)


def _filter(path: str, op: str, value: str) -> Step:
    """Without an operator: those that have something there."""
    wanted, inner = _literal(value) if op else None, compiled(path) if path else ()

    def chosen(members: Any) -> Iterator[Any]:
        for member in members if isinstance(members, list) else ():
            found = walk([member], inner)
            if found and (not op or _holds(op, found[0], wanted)):
                yield member

    return chosen


def _holds(op: str, found: Any, wanted: Any) -> bool:
    try:
        return _COMPARE[op](found, wanted)
    except TypeError:  # a number and a word
        return False


def _literal(text: str) -> Any:
    if text[0] in "\"'":
        return text[1:-1]
    if text in ("true", "false"):
        return text == "true"
    try:
        return float(text) if "." in text else int(text)
    except ValueError:
        return text
