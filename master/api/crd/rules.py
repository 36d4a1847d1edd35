"""`x-kubernetes-validations`: rules in CEL (Common Expression Language) that a custom resource must satisfy.

    rule: self.minReplicas <= self.replicas        `self` is the value at this place of the schema
    rule: self.name == oldSelf.name                a transition rule: judged on updates only, against what stood there

Owns the semantics around the expression: scopes, transition rules, messages, reasons, and a budget. The language itself is a
library's; what Kubernetes has beyond it is said in its terms (`dialect.py`), with functions of ours (`functions.py`). Values enter it
as their schema says: date-times as timestamps, numbers as doubles, and names of fields that CEL could not spell in Kubernetes'
escaped form (`x__dash__y`).

Subtle: the library has no limit of its own, and the master has one event loop. So a rule whose comprehensions, nested as they
are, could take more than BUDGET steps on the given value is refused without being run, in Kubernetes' words.
"""

from __future__ import annotations

import datetime
import functools
from collections.abc import Iterator
from typing import Any

from common.errors import FieldCause
from master.api.crd import dialect, values
from master.api.crd.values import Schema

RULES = "x-kubernetes-validations"
BUDGET = 1_000_000
"""Steps of the innermost comprehension; about half a second."""
MAX_RULE_CHARS = 16 * 1024

REASONS = frozenset(("FieldValueInvalid", "FieldValueForbidden", "FieldValueRequired", "FieldValueDuplicate"))


@functools.cache
def _cel() -> Any:
    """The library, loaded with the first rule: it brings a command line along, and 27 MB that most clusters need not pay."""
    import cel

    return cel


@functools.lru_cache(maxsize=1024)
def program(text: str, optional_old: bool = False) -> Any:
    """A compiled rule. Raises ValueError with the compiler's words."""
    return compiled(text, None, optional_old=optional_old)


def compiled(text: str, schema: Schema | None, *, optional_old: bool) -> Any:
    """The same, looked at with the schema of `self`. Raises ValueError also for fields that it does not have."""
    if len(text) > MAX_RULE_CHARS:
        raise ValueError(f"the rule is longer than {MAX_RULE_CHARS} characters")
    return _cel().compile(dialect.translate(text, dialect.scope(schema, optional_old=optional_old)))


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


class _Scope:
    """What the rules of one value see. widest: the size of the largest list or map in the value."""

    def __init__(self, new: Any, old: Any, widest: int) -> None:
        self.new = new
        self.old = old
        self.widest = widest
        self._contexts: dict[bool, Any] = {}

    def context(self, *, optional: bool) -> Any:
        """The library's, one for all rules that see the past in the same form."""
        if optional not in self._contexts:
            self._contexts[optional] = _context(self, optional=optional)
        return self._contexts[optional]


def _judge(rule: dict[str, Any], scope: _Scope, path: str, schema: Schema) -> Iterator[FieldCause]:
    text, optional = rule["rule"], bool(rule.get("optionalOldSelf"))
    where = (path + rule["fieldPath"]).lstrip(".") if rule.get("fieldPath") else path
    kind = schema.get("type", "object")
    try:
        transition, nested = is_transition(text), depth(text)
    except ValueError as error:  # of a definition that was written when such rules were taken
        yield _cause("", where, kind, f"rule evaluation error: {_words(error)}")
        return
    if transition and scope.old is values.MISSING and not optional:
        return
    if scope.widest**nested > BUDGET:
        yield _cause("", where, kind, "validation failed due to running out of cost budget, no further validation rules will be run")
        return
    context = scope.context(optional=optional)
    try:
        fine = program(text, optional).execute(context)
    except (RuntimeError, TypeError, ValueError, KeyError, IndexError, OverflowError, ArithmeticError) as error:
        yield _cause("", where, kind, f"rule evaluation error: {_words(error)}")
        return
    if fine is not True:
        yield _cause(rule.get("reason", ""), where, kind, _message(rule, context))


@functools.lru_cache(maxsize=1024)
def is_transition(text: str) -> bool:
    """Does it compare with what stood there? Raises ValueError for a rule that cannot be read."""
    return "oldSelf" in dialect.names_in(text)


depth = functools.lru_cache(maxsize=1024)(dialect.depth)


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
            said = program(expression, bool(rule.get("optionalOldSelf"))).execute(context)
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
            known = {dialect.escape(key): part for key, part in known.items()}
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


# ------------------------------------------------------------------------ budget


def widest(value: Any) -> int:
    """The size of the largest list, map or text in a value."""
    if isinstance(value, (dict, list)):
        members = value.values() if isinstance(value, dict) else value
        return max([len(value), *(widest(part) for part in members if isinstance(part, (dict, list, str)))])
    return len(value) // 100 if isinstance(value, str) else 1
