"""What `-o jsonpath=…` and `-o custom-columns=…` print, and `--sort-by`. Pure: documents in, text out.

    jsonpath=TEMPLATE      text with paths in braces: {.metadata.name}, {range .items[*]}…{end}, {"\\n"}; without braces, one path
    custom-columns=SPEC    HEADER:PATH,HEADER:PATH…

Owns kubectl's templates around a path; the paths are `common/jsonpath.py`'s. What a path does not find prints nothing (a column
prints <none>).
"""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from common import jsonpath

_BRACES = re.compile(r"""\{((?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[^{}"'])*)\}""")
NONE = "<none>"


class Range(msgspec.Struct):
    path: str
    body: list[Range | str | tuple[str]]


Part = Range | str | tuple[str]
"""A text, a path (in a tuple), or a range of parts."""


def parse(template: str) -> list[Part]:
    """Raises ValueError, in words for its writer."""
    if "{" not in template:
        jsonpath.compiled(relaxed(template))
        return [(relaxed(template),)]
    root: list[Part] = []
    open_: list[list[Part]] = [root]
    at = 0
    for found in _BRACES.finditer(template):
        if text := template[at : found.start()]:
            open_[-1].append(_plain(text))
        at = found.end()
        inner = found[1].strip()
        if inner == "end":
            if len(open_) == 1:
                raise ValueError("{end} without a {range …} before it")
            open_.pop()
        elif inner.startswith("range"):
            path = inner.removeprefix("range").strip()
            jsonpath.compiled(_rooted(path))
            made = Range(_rooted(path), [])
            open_[-1].append(made)
            open_.append(made.body)
        elif inner[:1] in "\"'" and inner:
            open_[-1].append(_unquoted(inner))
        else:
            jsonpath.compiled(_rooted(inner))
            open_[-1].append((_rooted(inner),))
    if rest := template[at:]:
        open_[-1].append(_plain(rest))
    if len(open_) > 1:
        raise ValueError("a {range …} has no {end}")
    return root


def _plain(text: str) -> str:
    if "{" in text or "}" in text:
        raise ValueError(f"a brace is not closed, or not opened, in {text!r}")
    return text


def _unquoted(text: str) -> str:
    inner = text[1:-1]
    return json.loads(f'"{inner}"') if text[0] == '"' else re.sub(r"\\(.)", lambda m: {"n": "\n", "t": "\t"}.get(m[1], m[1]), inner)


def _rooted(path: str) -> str:
    """`@` and `$` are where one stands; both may be left out."""
    path = path.removeprefix("@").removeprefix("$")
    return path or "."


def relaxed(path: str) -> str:
    """A path that a user may give without braces and without its first dot."""
    path = path.strip()
    if path.startswith("{") and path.endswith("}"):
        path = path[1:-1].strip()
    path = _rooted(path)
    return path if path.startswith((".", "[")) else f".{path}"


def render(parts: list[Part], document: Any) -> str:
    out = []
    for part in parts:
        if isinstance(part, str):
            out.append(part)
        elif isinstance(part, Range):
            out += [render(part.body, member) for member in jsonpath.find(document, part.path)]
        else:
            out.append(" ".join(text(value) for value in jsonpath.find(document, part[0])))
    return "".join(out)


def text(value: Any) -> str:
    """As kubectl prints a value."""
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def columns(spec: str) -> tuple[list[str], list[str]]:
    """Headers and paths. Raises ValueError."""
    headers, paths = [], []
    for part in re.split(r",(?=[^,:\[\]]+:)", spec):
        header, colon, path = part.partition(":")
        if not colon or not header or not path:
            raise ValueError(f"a column is HEADER:PATH, such as NAME:.metadata.name, and not {part!r}")
        paths.append(relaxed(path))
        jsonpath.compiled(paths[-1])
        headers.append(header)
    return headers, paths


def row(paths: list[str], document: Any) -> list[str]:
    return [",".join(text(value) for value in found) if (found := jsonpath.find(document, path)) else NONE for path in paths]


def ordered(documents: list[Any], path: str) -> list[int]:
    """The places of the documents in the order of what is at a path: numbers by size, words by their letters, what lacks it first.
    Raises ValueError when no document has it."""
    steps = jsonpath.compiled(relaxed(path))
    values = [next(iter(jsonpath.walk([document], steps)), None) for document in documents]
    if documents and all(value is None for value in values):
        raise ValueError(f"couldn't find any field with path \"{{{relaxed(path)}}}\" in the list of objects")
    return sorted(range(len(documents)), key=lambda i: _rank(values[i]))


def _rank(value: Any) -> tuple[int, Any]:
    if value is None:
        return 0, 0
    return (1, value) if isinstance(value, int | float) else (2, text(value))
