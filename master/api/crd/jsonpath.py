"""The JSONPath of CRDs' printer columns, scale subresources and selectable fields: a small, safe part of kubectl's.

    .spec.replicas     .metadata.labels['a/b']     .spec.hosts[0]     .spec.hosts[*].name     .status.conditions[?(@.type=="Ready")].status

A path is compiled once and then only walks; it finds any number of values, of which a column prints the first.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Step = Callable[[Any], Iterable[Any]]

MAX_CHARS = 1024
_TOKEN = re.compile(
    r"""\.(?P<field>(?:\\.|[A-Za-z0-9_$/-])+)
      | \[\s*(?P<index>-?\d+)\s*\]
      | (?P<all>\[\s*\*\s*\]|\.\*)
      | \[\s*(?P<quote>['"])(?P<quoted>.*?)(?P=quote)\s*\]
      | \[\?\(\s*@(?P<path>[^=!<>]*?)\s*(?P<op>==|!=)\s*(?P<value>"[^"]*"|'[^']*'|[A-Za-z0-9_.-]+)\s*\)\]""",
    re.VERBOSE,
)


@functools.lru_cache(maxsize=1024)
def compiled(text: str) -> tuple[Step, ...]:
    """Raises ValueError for what this part of JSONPath does not have."""
    if len(text) > MAX_CHARS:
        raise ValueError(f"a path may have {MAX_CHARS} characters")
    plain = text.strip().removeprefix("{").removesuffix("}").removeprefix("$")
    if not plain.startswith((".", "[")):
        raise ValueError(f"{text!r} is no path: it must begin with a dot")
    steps, at = [], 0
    while at < len(plain):
        token = _TOKEN.match(plain, at)
        if token is None:
            raise ValueError(f"{text!r} cannot be read from {plain[at : at + 32]!r} on")
        steps.append(_step(token))
        at = token.end()
    return tuple(steps)


def find(document: Any, text: str) -> list[Any]:
    """The values at the path, in order. Raises ValueError for a path that cannot be read."""
    found = [document]
    for step in compiled(text):
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
    if token["field"] is not None:
        return _field(re.sub(r"\\(.)", r"\1", token["field"]))
    if token["quoted"] is not None:
        return _field(token["quoted"])
    if token["index"] is not None:
        return _index(int(token["index"]))
    if token["all"] is not None:
        return _members
    return _filter(token["path"], token["op"] == "==", token["value"])


def _field(name: str) -> Step:
    return lambda value: (value[name],) if isinstance(value, dict) and name in value else ()


def _index(number: int) -> Step:
    return lambda value: (value[number],) if isinstance(value, list) and -len(value) <= number < len(value) else ()


def _members(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _filter(path: str, equal: bool, value: str) -> Step:
    wanted, inner = _literal(value), compiled(path) if path else ()

    def chosen(members: Any) -> Iterator[Any]:
        for member in members if isinstance(members, list) else ():
            found = [member]
            for step in inner:
                found = [part for one in found for part in step(one)]
            if found and (found[0] == wanted) is equal:
                yield member

    return chosen


def _literal(text: str) -> Any:
    if text[0] in "\"'":
        return text[1:-1]
    if text in ("true", "false"):
        return text == "true"
    try:
        return float(text) if "." in text else int(text)
    except ValueError:
        return text
