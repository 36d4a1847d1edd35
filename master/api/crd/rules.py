"""`x-kubernetes-validations`: rules in CEL (Common Expression Language) that a custom resource must satisfy.

    rule: self.minReplicas <= self.replicas        `self` is the value at this place of the schema
    rule: self.name == oldSelf.name                a transition rule: judged on updates only, against what stood there

Owns the semantics around the expression: scopes, transition rules, messages, reasons, and a budget. The language itself is a
library's. Values enter it as their schema says: date-times as timestamps, numbers as doubles, and names of fields that CEL could
not spell in Kubernetes' escaped form (`x__dash__y`). Functions that Kubernetes adds to the language are in `functions.py`.

Subtle: the library has no limit of its own, and the master has one event loop. So a rule whose comprehensions, nested as they
are, could take more than BUDGET steps on the given value is refused without being run, in Kubernetes' words.
"""

from __future__ import annotations

import datetime
import functools
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from common.errors import FieldCause
from master.api.crd import values
from master.api.crd.values import Schema

RULES = "x-kubernetes-validations"
BUDGET = 1_000_000
"""Steps of the innermost comprehension; about half a second."""
MAX_RULE_CHARS = 16 * 1024

_MACRO = re.compile(r"\.(all|exists|exists_one|map|filter)\s*$")
_OLD = re.compile(r"\boldSelf\b")
_RESERVED = frozenset(
    "true false null in as break const continue else for function if import let loop package namespace return var void while".split()
)
REASONS = frozenset(("FieldValueInvalid", "FieldValueForbidden", "FieldValueRequired", "FieldValueDuplicate"))


@functools.cache
def _cel() -> Any:
    """The library, loaded with the first rule: it brings a command line along, and 27 MB that most clusters need not pay."""
    import cel

    return cel


@functools.lru_cache(maxsize=1024)
def program(text: str) -> Any:
    """A compiled rule. Raises ValueError with the compiler's words."""
    if len(text) > MAX_RULE_CHARS:
        raise ValueError(f"the rule is longer than {MAX_RULE_CHARS} characters")
    return _cel().compile(text)


def check(new: Any, schema: Schema, path: str, *, old: Any) -> Iterator[FieldCause]:
    """What the rules of this value and of all below it say. The value is well-formed."""
    unchanged = old is not values.MISSING and new == old
    if new is None or unchanged:
        return
    own = schema.get(RULES) or ()
    if own:
        scope = _Scope(convert(new, schema), values.MISSING if old is values.MISSING else convert(old, schema), widest(new))
        for rule in own:
            yield from _judge(rule, scope, path, schema)
    for key, part, child in values.parts(new, schema):
        yield from check(part, child, values.join(path, key), old=values.counterpart(old, key, part, schema))


class _Scope(msgspec.Struct, frozen=True):
    """widest: the size of the largest list or map in the value."""

    new: Any
    old: Any
    widest: int


def _judge(rule: dict[str, Any], scope: _Scope, path: str, schema: Schema) -> Iterator[FieldCause]:
    text, optional = rule["rule"], bool(rule.get("optionalOldSelf"))
    transition = is_transition(text)
    if transition and scope.old is values.MISSING and not optional:
        return
    where = path + rule["fieldPath"] if rule.get("fieldPath") else path
    kind = schema.get("type", "object")
    if scope.widest ** depth(text) > BUDGET:
        yield _cause("", where, kind, "validation failed due to running out of cost budget, no further validation rules will be run")
        return
    context = _context(scope, optional=optional)
    try:
        fine = program(text).execute(context)
    except (RuntimeError, TypeError, ValueError, KeyError, IndexError, OverflowError, ArithmeticError) as error:
        yield _cause("", where, kind, f"rule evaluation error: {_words(error)}")
        return
    if fine is not True:
        yield _cause(rule.get("reason", ""), where, kind, _message(rule, context))


def is_transition(text: str) -> bool:
    return _OLD.search(text) is not None


def _context(scope: _Scope, *, optional: bool) -> Any:
    from master.api.crd import functions  # as the library: with the first rule

    cel = _cel()
    context = cel.Context()
    functions.add_to(context)
    context.add_variable("self", scope.new)
    if optional:
        context.add_variable("oldSelf", cel.OptionalValue.none() if scope.old is values.MISSING else cel.OptionalValue.of(scope.old))
    elif scope.old is not values.MISSING:
        context.add_variable("oldSelf", scope.old)
    return context


def _message(rule: dict[str, Any], context: Any) -> str:
    """The rule's own words; the message expression first, and the plain message where it fails."""
    if expression := rule.get("messageExpression"):
        try:
            said = program(expression).execute(context)
        except (RuntimeError, TypeError, ValueError, KeyError, IndexError, OverflowError, ArithmeticError):
            said = ""
        if isinstance(said, str) and said.strip() and "\n" not in said:
            return said.strip()
    return rule.get("message") or f"failed rule: {rule['rule'].strip()}"


def _cause(reason: str, path: str, kind: str, said: str) -> FieldCause:
    """Kubernetes prints the value's type in place of the value."""
    reason = reason if reason in REASONS else "FieldValueInvalid"
    heads = {
        "FieldValueForbidden": f"Forbidden: {said}",
        "FieldValueRequired": f"Required value: {said}",
        "FieldValueDuplicate": f'Duplicate value: "{kind}"',
    }
    return FieldCause(reason, heads.get(reason, f'Invalid value: "{kind}": {said}'), path)


def _words(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"no such key: {error.args[0]}"
    return (str(error).splitlines() or [""])[0]


# ------------------------------------------------------------------------ values


def convert(value: Any, schema: Schema) -> Any:
    """As CEL sees it. What the schema does not name is not to be seen, as in Kubernetes; the metadata's names are."""
    if isinstance(value, dict):
        known = {key: convert(part, child) for key, part, child in values.parts(value, schema) if part is not None or child.get("nullable")}
        if schema.get("properties") is not None:
            known = {escape(key): part for key, part in known.items()}
        elif schema.get(values.PRESERVE) or schema.get("additionalProperties") is True:
            return value
        return known | {key: value[key] for key in values.OF_EVERY_OBJECT - known.keys() if key in value and _whole(value)}
    if isinstance(value, list):
        items = schema.get("items")
        return [convert(part, items) for part in value] if isinstance(items, dict) else value
    if isinstance(value, str):
        return _typed(value, schema.get("format", ""))
    return float(value) if schema.get("type") == "number" and isinstance(value, int) and not isinstance(value, bool) else value


def _whole(value: dict[str, Any]) -> bool:
    return "apiVersion" in value and "kind" in value


def _typed(text: str, form: str) -> Any:
    if form in ("date-time", "datetime", "date"):
        found = datetime.datetime.fromisoformat(text.upper().replace("Z", "+00:00"))
        return found if found.tzinfo else found.replace(tzinfo=datetime.UTC)
    if form == "duration":
        return _cel().evaluate("duration(text)", {"text": text})
    return text


def escape(name: str) -> str:
    """A field's name as CEL can spell it."""
    if name in _RESERVED:
        return f"__{name}__"
    for plain, escaped in (("__", "__underscores__"), (".", "__dot__"), ("-", "__dash__"), ("/", "__slash__")):
        name = name.replace(plain, escaped)
    return name


# ------------------------------------------------------------------------ budget


def widest(value: Any) -> int:
    """The size of the largest list, map or text in a value."""
    if isinstance(value, (dict, list)):
        members = value.values() if isinstance(value, dict) else value
        return max([len(value), *(widest(part) for part in members if isinstance(part, (dict, list, str)))])
    return len(value) // 100 if isinstance(value, str) else 1


@functools.lru_cache(maxsize=1024)
def depth(text: str) -> int:
    """How deep comprehensions (`all`, `exists`, `map`, …) are nested in a rule."""
    plain = re.sub(r"""r?("(\\.|[^"\\])*"|'(\\.|[^'\\])*')""", '""', text)
    stack: list[bool] = []
    deepest = 0
    for at, letter in enumerate(plain):
        if letter in "([{":
            stack.append(letter == "(" and _MACRO.search(plain[:at]) is not None)
            deepest = max(deepest, sum(stack))
        elif letter in ")]}" and stack:
            stack.pop()
    return deepest
