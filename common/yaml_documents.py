"""YAML documents, read event by event into what JSON knows: objects, lists, text, numbers, booleans, null.

For bodies of requests, and for kctl's manifests. Why not a plain safe loader: the master's one event loop waits while a body is decoded.
A loader takes 13 seconds for 3 MB of small items, expands aliases, and makes sets, bytes, times and keys that are no text. Here one
pass over the C parser's events stops at the first thing that is out of bounds, and nothing is recursive.

Refused, each with a sentence: aliases and merge keys, more than MAX_EVENTS values, more than MAX_DEPTH levels, several
documents, tags other than JSON's types, not-a-number and infinity. Plain scalars are read as Kubernetes' YAML reads them:
`yes` and `on` are true, 0644 is octal, 1:30 and 2025-01-01 are text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import yaml

from common.errors import BadRequest, TooLarge

MAX_DEPTH = 100
MAX_EVENTS = 50_000
"""About a third of a second; a manifest of a thousand lines has two thousand."""

_TAG = "tag:yaml.org,2002:"
_WORDS: dict[str, Any] = {"": None, "~": None}
_WORDS |= {form: None for form in ("null", "Null", "NULL")}
_WORDS |= {form: True for word in ("true", "yes", "on") for form in (word, word.capitalize(), word.upper())}
_WORDS |= {form: False for word in ("false", "no", "off") for form in (word, word.capitalize(), word.upper())}
_INTEGER = re.compile(r"[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0o?[0-7_]+|0|[1-9][0-9_]*)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_MAX_DIGITS = 64


class _Frame:
    """A collection that is being read; key is the name whose value comes next, in an object."""

    __slots__ = ("key", "value")

    def __init__(self, value: dict[str, Any] | list[Any]) -> None:
        self.value = value
        self.key: str | None = None


def sentence(lines: tuple[str, ...]) -> str:
    """About fields that occur twice, in the words of Kubernetes' YAML library."""
    return "\n  ".join(("yaml: unmarshal errors:", *lines))


def decode(body: bytes) -> tuple[Any, tuple[str, ...]]:
    """The document (None when it is empty), and a line about each field that occurs twice. Raises BadRequest, TooLarge."""
    try:
        return _document(_bounded(body))
    except yaml.YAMLError as error:
        # Subtle: the parser looks ahead, and newer ones have a limit of their own that may strike before ours is seen.
        raise _too_deep() if "maximum nesting depth" in str(error) else _bad(_place(error)) from None


def _bounded(body: bytes) -> Iterator[yaml.Event]:
    documents = 0
    for count, event in enumerate(yaml.parse(body, Loader=yaml.CSafeLoader)):
        if count > MAX_EVENTS:
            raise TooLarge(f"the YAML provided has more than {MAX_EVENTS} values: send it as JSON")
        if isinstance(event, yaml.AliasEvent):
            raise BadRequest("the YAML provided has aliases, which are not accepted: write the values out")
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise _bad("expected a single document in the stream")
        yield event


def _document(events: Iterator[yaml.Event]) -> tuple[Any, tuple[str, ...]]:
    root = _Frame([])
    stack, twice = [root], []
    again: str | None = None
    for event in events:
        if again is not None:
            twice.append(f'line {event.start_mark.line + 1}: key "{again}" already set in map')
            again = None
        if isinstance(event, yaml.ScalarEvent):
            frame = stack[-1]
            if isinstance(frame.value, dict) and frame.key is None:
                frame.key = _name(event)
                if frame.key in frame.value:
                    again = frame.key
            else:
                _put(frame, _scalar(event))
        elif isinstance(event, yaml.CollectionStartEvent):
            stack.append(_Frame(_opened(event, stack)))
        elif isinstance(event, yaml.CollectionEndEvent):
            value = stack.pop().value
            _put(stack[-1], value)
    assert isinstance(root.value, list)
    return (root.value[0] if root.value else None), tuple(twice)


def _opened(event: yaml.CollectionStartEvent, stack: list[_Frame]) -> dict[str, Any] | list[Any]:
    parent = stack[-1]
    if isinstance(parent.value, dict) and parent.key is None:
        raise _bad("the name of a field must be text")
    if len(stack) > MAX_DEPTH:
        raise _too_deep()
    mapping = isinstance(event, yaml.MappingStartEvent)
    if event.tag not in (None, "!", _TAG + ("map" if mapping else "seq")):
        raise _bad(f"the tag {event.tag[:64]} is not accepted")
    return {} if mapping else []


def _put(frame: _Frame, value: Any) -> None:
    if isinstance(frame.value, list):
        frame.value.append(value)
    elif frame.key is not None:
        frame.value[frame.key] = value
        frame.key = None


def _name(event: yaml.ScalarEvent) -> str:
    """A field's name is text: a number or a boolean is written out, as when YAML is turned into JSON."""
    value = _scalar(event)
    if value == "<<" and event.implicit[0]:
        raise _bad("merge keys are not accepted: write the values out")
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def _scalar(event: yaml.ScalarEvent) -> Any:
    text, tag = event.value, event.tag
    if tag is None:
        return _plain(text) if event.implicit[0] else text
    if tag in ("!", _TAG + "str"):
        return text
    value, expected = _plain(text), _TYPES.get(tag.removeprefix(_TAG))
    if expected is None or not isinstance(value, expected) or (isinstance(value, bool) and bool not in expected):
        raise _bad(f"the tag {tag[:64]} is not accepted" + ("" if expected is None else f" for {text[:64]!r}"))
    return value


_TYPES: dict[str, tuple[type, ...]] = {"int": (int,), "float": (float, int), "bool": (bool,), "null": (type(None),)}


def _plain(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "0123456789-+." or len(text) > _MAX_DIGITS:
        return text
    if _INTEGER.fullmatch(text) and text[-1] != "_":
        return _integer(text.replace("_", ""))
    if not _FLOAT.fullmatch(text):
        return text
    named = text.lstrip("+-.")[:1].isalpha()
    number = math.inf if named else float(text.replace("_", ""))
    if not math.isfinite(number):
        raise _bad(f"{text[:64]} is not a number that JSON knows")
    return number


def is_text(text: str) -> bool:
    """Whether it is read as text when it stands plain, without quotes: `1e3` and `yes` are not."""
    try:
        return _plain(text) == text
    except BadRequest:
        return False


def _integer(text: str) -> int:
    digits = text.lstrip("+-")
    if len(digits) > 1 and digits[0] == "0" and digits[1] in "01234567":
        text = text.replace("0", "0o", 1)
    return int(text, 0)


def _place(error: yaml.YAMLError) -> str:
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    if mark is None or problem is None:
        return str(error).splitlines()[0]
    return f"line {mark.line + 1}: {problem}"


def _too_deep() -> BadRequest:
    return BadRequest(f"the object provided is nested more than {MAX_DEPTH} levels deep")


def _bad(why: str) -> BadRequest:
    return BadRequest(f"error converting YAML to JSON: yaml: {why}")
