"""Label selectors and field selectors: parsing, matching, and the typed `LabelSelector`.

Three spellings of one thing become one value, `Selector`: the text form of `?labelSelector=` and `-l`, the typed form in
workloads (`matchLabels`, `matchExpressions`), and a plain map. Semantics and error texts follow apimachinery's `labels` and
`fields` packages. Sizes are bounded by the callers (a URL, a document).
"""

from __future__ import annotations

import re

import msgspec

from common.errors import BadRequest
from common.objects import meta

_NAME = re.compile(r"^([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9]$")
_PREFIX = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
KEY_TEXT = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
    "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_TOKEN = re.compile(r"\s*(==|!=|=|!|,|\(|\)|>|<|[^\s,()=!<>]+)")


def valid_key(key: str) -> bool:
    """A qualified name: `name` or `prefix/name`."""
    prefix, slash, name = key.rpartition("/")
    if slash and (not prefix or len(prefix) > 253 or not _PREFIX.match(prefix)):
        return False
    return bool(_NAME.match(name))


def valid_value(value: str) -> bool:
    return value == "" or bool(_NAME.match(value))


class Requirement(msgspec.Struct, frozen=True):
    """operator: "in" (also = and ==), "notin" (also !=), "exists", "!", "gt", "lt"."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: dict[str, str]) -> bool:
        present = self.key in labels
        match self.operator:
            case "in":
                return present and labels[self.key] in self.values
            case "notin":
                return not present or labels[self.key] not in self.values
            case "exists":
                return present
            case "!":
                return not present
        if not present:
            return False
        try:
            mine, bound = int(labels[self.key]), int(self.values[0])
        except ValueError:
            return False
        return mine > bound if self.operator == "gt" else mine < bound


class Selector(msgspec.Struct, frozen=True):
    """All requirements must hold; none selects everything. `nothing` selects nothing (a nil typed selector)."""

    requirements: tuple[Requirement, ...] = ()
    nothing: bool = False

    def matches(self, labels: dict[str, str] | None) -> bool:
        return not self.nothing and all(r.matches(labels or {}) for r in self.requirements)

    @property
    def empty(self) -> bool:
        return not self.requirements and not self.nothing

    def text(self) -> str:
        """The canonical text form, as in `status.selector` of a Scale: keys in order."""
        parts = []
        for r in sorted(self.requirements, key=lambda r: r.key):
            if r.operator in ("in", "notin") and len(r.values) == 1:
                parts.append(f"{r.key}{'=' if r.operator == 'in' else '!='}{r.values[0]}")
            elif r.operator in ("in", "notin"):
                parts.append(f"{r.key} {r.operator} ({','.join(sorted(r.values))})")
            else:
                parts.append(r.key if r.operator == "exists" else f"!{r.key}")
        return ",".join(parts)


EVERYTHING = Selector()


_FIRST = "!, identifier, or 'end of string'"
_MARKS = frozenset(("==", "!=", "=", ",", "(", ")", ">", "<"))


class _Tokens:
    def __init__(self, text: str) -> None:
        self.text = text
        self.items: list[str] = []
        position = 0
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                break
            self.items.append(match[1])
            position = match.end()
        self.at = 0

    def peek(self) -> str:
        return self.items[self.at] if self.at < len(self.items) else ""

    def take(self) -> str:
        token = self.peek()
        self.at += 1
        return token

    def fail(self, why: str) -> BadRequest:
        """What is wrong within one requirement."""
        return BadRequest(f"unable to parse requirement: {why}")

    def expect_requirement(self, expected: str) -> None:
        """At the beginning of one. Raises BadRequest."""
        token = self.peek()
        if token in _MARKS or (not token and expected != _FIRST):
            raise BadRequest(f"found '{token}', expected: {expected}")


def parse_labels(text: str) -> Selector:
    """Of `a=b,c in (d,e),!f,g`. Raises BadRequest."""
    if not text.strip():
        return EVERYTHING
    tokens = _Tokens(text)
    tokens.expect_requirement(_FIRST)
    requirements = []
    while True:
        requirements.append(_requirement(tokens))
        separator = tokens.take()
        if separator == "":
            return Selector(tuple(requirements))
        if separator != ",":
            raise BadRequest(f"found '{separator}', expected: ',' or 'end of string'")
        tokens.expect_requirement("identifier after ','")


def _requirement(tokens: _Tokens) -> Requirement:
    token = tokens.take()
    negated = token == "!"
    key = tokens.take() if negated else token
    if key in _MARKS or not key:
        raise tokens.fail(f"found '{key}', expected: identifier")
    if not valid_key(key):
        raise tokens.fail(f'<nil>: Invalid value: "{key}": {KEY_TEXT}')
    if negated:
        return Requirement(key, "!")
    operator = tokens.peek()
    if operator in ("", ","):
        return Requirement(key, "exists")
    tokens.take()
    match operator:
        case "=" | "==":
            return Requirement(key, "in", (_value(tokens, key),))
        case "!=":
            return Requirement(key, "notin", (_value(tokens, key),))
        case "in" | "notin":
            return Requirement(key, operator, _values(tokens, key))
        case ">" | "<":
            bound = _value(tokens, key)
            if not re.fullmatch(r"[-+]?\d+", bound):
                raise tokens.fail(f"values[0]: Invalid value: \"{bound}\": for 'Gt', 'Lt' operators, the value must be an integer")
            return Requirement(key, "gt" if operator == ">" else "lt", (bound,))
    raise tokens.fail(f"found '{operator}', expected: in, notin, =, ==, !=, gt, lt")


def _value(tokens: _Tokens, key: str) -> str:
    value = "" if tokens.peek() in ("", ",", ")") else tokens.take()
    if not valid_value(value):
        raise tokens.fail(f'values[0][{key}]: Invalid value: "{value}": {VALUE_TEXT}')
    return value


def _values(tokens: _Tokens, key: str) -> tuple[str, ...]:
    if (opening := tokens.take()) != "(":
        raise tokens.fail(f"found '{opening}' expected: '('")
    values = [_value(tokens, key)]
    while (token := tokens.take()) == ",":
        values.append(_value(tokens, key))
    if token != ")":
        raise tokens.fail(f"found '{token}', expected: ',' or ')'")
    return tuple(values)


def of(selector: meta.LabelSelector | None) -> Selector:
    """The typed form. None selects nothing, an empty one everything. Raises BadRequest for an unknown operator."""
    if selector is None:
        return Selector(nothing=True)
    requirements = [Requirement(key, "in", (value,)) for key, value in selector.match_labels.items()]
    operators = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}
    for expression in selector.match_expressions:
        operator = operators.get(expression.operator)
        if operator is None:
            raise BadRequest(f'"{expression.operator}" is not a valid label selector operator')
        requirements.append(Requirement(expression.key, operator, expression.values))
    return Selector(tuple(requirements))


class FieldRequirement(msgspec.Struct, frozen=True):
    field: str
    equal: bool
    value: str


class FieldSelector(msgspec.Struct, frozen=True):
    requirements: tuple[FieldRequirement, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(r.field for r in self.requirements)

    @property
    def empty(self) -> bool:
        return not self.requirements

    def matches(self, fields: dict[str, str]) -> bool:
        return all((fields.get(r.field, "") == r.value) == r.equal for r in self.requirements)

    def exact(self, field: str) -> str | None:
        """The value that `field` must equal, if the selector says so: to go straight to one object."""
        return next((r.value for r in self.requirements if r.equal and r.field == field), None)


def parse_fields(text: str) -> FieldSelector:
    r"""Of `metadata.name=x,status.phase!=Failed`; `\,`, `\=` and `\\` escape. Raises BadRequest."""
    requirements = []
    for term in re.findall(r"(?:[^,\\]|\\.)+", text):
        match = re.match(r"^((?:[^=!\\]|\\.)*)(!=|==|=)(.*)$", term, re.DOTALL)
        if match is None or not match[1]:
            raise BadRequest(f"invalid selector: '{text}'; can't understand '{term}'")
        value = re.sub(r"\\([,=\\])", r"\1", match[3])
        requirements.append(FieldRequirement(match[1].strip(), match[2] != "!=", value))
    return FieldSelector(tuple(requirements))
