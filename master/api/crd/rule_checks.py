"""Is a rule in CEL fit to be judged by? Asked once, when the CRD is written. Paths and texts are those of Kubernetes' apiextensions server.

Here: that it can be read, names only what is there, and compares with the past only where a value's past can be found; that its message and
its path are ones. What a rule may say is `dialect.py`'s business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from common.errors import FieldCause
from master.api.crd import rules, values
from master.api.crd.values import Schema
from master.api.kinds.rules import invalid, one_of, required

_STEP = re.compile(r"\.(?P<field>[a-zA-Z_][a-zA-Z0-9_-]*)|\['(?P<quoted>(?:\\.|[^'\\])*)'\]")
MAX_MESSAGE = 2048


def check(rule: dict[str, Any], schema: Schema, path: str, *, untraceable: str) -> Iterator[FieldCause]:
    """schema: of the value that the rule is about. untraceable: see `structural`."""
    text = rule.get("rule", "")
    if not text.strip():
        yield required(f"{path}.rule", "rule is not specified")
        return
    yield from _messages(rule, text, path)
    yield from _compiles(rule, schema, path, untraceable=untraceable)
    if (field := rule.get("fieldPath")) and (why := _stray(field, schema)):
        yield invalid(f"{path}.fieldPath", field, f"fieldPath {field} is an invalid path: {why}")
    if "reason" in rule:
        yield from one_of(f"{path}.reason", rule["reason"], rules.REASONS)


def _messages(rule: dict[str, Any], text: str, path: str) -> Iterator[FieldCause]:
    message, expression = rule.get("message", ""), rule.get("messageExpression", "")
    if "message" in rule and not message.strip() and message:
        yield invalid(f"{path}.message", message, "message must be non-empty if specified")
    elif "\n" in message.strip():
        yield invalid(f"{path}.message", message, "message must not contain line breaks")
    elif len(message) > MAX_MESSAGE:
        yield invalid(f"{path}.message", message[:10] + "...", f"message must have a maximum length of {MAX_MESSAGE} characters")
    elif "\n" in text.strip() and not message:
        yield required(f"{path}.message", "message must be specified if rule contains line breaks")
    if expression and not expression.strip():
        yield required(f"{path}.messageExpression", "messageExpression must be non-empty if specified")


def _compiles(rule: dict[str, Any], schema: Schema, path: str, *, untraceable: str) -> Iterator[FieldCause]:
    optional = bool(rule.get("optionalOldSelf"))
    for name in ("rule", "messageExpression"):
        text = rule.get(name, "")
        if not text.strip():
            continue
        try:
            rules.compiled(text, schema, optional_old=optional)
        except ValueError as error:
            yield invalid(f"{path}.{name}", text, f"compilation failed: {error}")
            return
    transition = rules.is_transition(rule["rule"])
    if optional and not transition:
        yield invalid(f"{path}.optionalOldSelf", True, "may not be set if oldSelf is not used in rule")
    if transition and untraceable:
        why = f"oldSelf cannot be used on the uncorrelatable portion of the schema within {untraceable}"
        yield invalid(f"{path}.rule", rule["rule"], why)


def _stray(path: str, schema: Schema) -> str:
    """Why a path leads nowhere in the schema, or ""."""
    at, here = 0, schema
    while at < len(path):
        step = _STEP.match(path, at)
        if step is None:
            return f"expected [ or . but got: {path[at:]}"
        name = step["field"] or re.sub(r"\\(.)", r"\1", step["quoted"] or "")
        found = (here.get("properties") or {}).get(name) or values.values_schema(here)
        if found is None:
            return f"does not refer to a valid field: {path}"
        here, at = found, step.end()
    return ""
