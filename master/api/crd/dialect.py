"""Kubernetes' CEL in terms of the part that the library knows: what is undeclared is refused, and the rest is rewritten. Pure.

    a.?b.c            optionalField_(optionalField_(a, "b"), "c")      a chain stays optional until a method ends it
    a[?b], [?a, b]    optionalIndex_(a, b), optionalItems_([...])      {?k: v} alike
    a.optMap(x, f)    optionalOf_(optionalList_(a).map(x, f))
    cel.bind(x, a, f) [a].map(x, f)[0]
    a.all(i, v, f)    pairs_(a).all(p, f with i and v bound)           so all macros of two variables
    size(a), string(a)  of texts by letters, of Kubernetes' own types as they are written

The names on the right end in an underscore and are `functions.py`'s; they are not to be had by a rule that spells them itself.
The library finds an undeclared name only when it gets there; Kubernetes when the rule is written. So this walks the tree with what is
in scope, and with the schema of each value as far as it is known: fields that the schema does not have are refused too.
"""

from __future__ import annotations

from typing import Any

import msgspec

from master.api.crd import expression, values
from master.api.crd.expression import Binary, Call, Choice, Entries, Index, Items, Literal, Name, Node, Select, Unary
from master.api.crd.values import Schema

TYPES = frozenset("bool bytes double dyn int list map null_type string type uint".split())
TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "integer"}

_TYPE_NAMES = {"string": "string", "integer": "int", "number": "double", "boolean": "bool", "array": "list"}

MACROS = {"all": 2, "exists": 2, "exists_one": 2, "existsOne": 2, "map": 2, "filter": 2, "transformList": 3, "transformMap": 3,
          "transformMapEntry": 3, "optMap": 2, "optFlatMap": 2}  # fmt: skip
"""Methods whose first argument is a new name, and the least number of their arguments."""
FUNCTIONS = frozenset(
    """size string int uint double bool bytes dyn type duration timestamp has matches
    url isURL quantity isQuantity ip isIP cidr isCIDR semver isSemver ip.isCanonical format.named
    optional.of optional.none optional.ofNonZeroValue sets.contains sets.equivalent sets.intersects strings.quote
    math.greatest math.least math.abs math.sign math.ceil math.floor math.round math.trunc math.isNaN math.isInf math.isFinite math.sqrt
    math.bitOr math.bitAnd math.bitXor math.bitNot math.bitShiftLeft math.bitShiftRight base64.encode base64.decode lists.range""".split()
)
METHODS = frozenset(
    """size contains startsWith endsWith matches charAt indexOf lastIndexOf join lowerAscii upperAscii replace split substring trim reverse
    format find findAll isSorted sum min max distinct flatten slice sort first last
    getDate getDayOfMonth getDayOfWeek getDayOfYear getFullYear getHours getMilliseconds getMinutes getMonth getSeconds
    getScheme getHost getHostname getPort getEscapedPath getQuery
    isGreaterThan isLessThan compareTo sign add sub isInteger asInteger asApproximateFloat
    family isUnspecified isLoopback isLinkLocalMulticast isLinkLocalUnicast isGlobalUnicast containsIP containsCIDR ip masked prefixLength
    major minor patch validate value hasValue or orValue""".split()
)
NAMED_FORMATS = frozenset(
    """dns1123Label dns1123Subdomain dns1035Label qualifiedName dns1123LabelPrefix dns1123SubdomainPrefix dns1035LabelPrefix labelValue
    uri uuid byte date datetime""".split()
)
STILL_OPTIONAL = frozenset(("or", "optMap", "optFlatMap"))


class Typed(msgspec.Struct, frozen=True):
    """A rewritten node; its schema, None where it is not known; and whether it is an optional value."""

    node: Node
    schema: Schema | None = None
    optional: bool = False


Scope = dict[str, Typed]


def scope(schema: Schema | None, *, optional_old: bool = False) -> Scope:
    """What a rule may name: `self`, and what stood there before."""
    return {"self": Typed(Name("self"), schema), "oldSelf": Typed(Name("oldSelf"), schema, optional_old)}


def translate(text: str, names: Scope) -> str:
    """A rule in the library's words. Raises ValueError for what cannot be read, is not declared, or is not in the schema."""
    try:
        return expression.write(_Translator().of(expression.parse(text), names).node)
    except RecursionError:
        raise ValueError(expression.TOO_DEEP) from None


def _is_text(word: str) -> bool:
    quote = word[-1]
    return quote in "\"'" and "b" not in word.partition(quote)[0].lower()


def _text(word: str) -> Literal:
    return Literal(msgspec.json.encode(word).decode())


def _call(name: str, *args: Node) -> Call:
    return Call(None, name, args)


class _Translator:
    """pairs: how many names it has made up so far."""

    def __init__(self) -> None:
        self._pairs = 0

    def of(self, node: Node, names: Scope) -> Typed:
        match node:
            case Literal():
                return Typed(node, TEXT if _is_text(node.text) else None)
            case Name():
                return self._name(node, names)
            case Select():
                return self._select(node, names)
            case Index():
                return self._index(node, names)
            case Call():
                return self._call(node, names)
            case Unary():
                return Typed(Unary(node.sign, self.of(node.of, names).node))
            case Binary():
                left, right = self.of(node.left, names), self.of(node.right, names)
                return Typed(Binary(node.sign, left.node, right.node), TEXT if node.sign == "+" and left.schema is TEXT else None)
            case Choice():
                then, other = self.of(node.then, names), self.of(node.other, names)
                made = Choice(self.of(node.when, names).node, then.node, other.node)
                return Typed(made, then.schema if then.schema is other.schema else None, then.optional)
            case Items():
                return self._items(node, names)
            case Entries():
                return self._entries(node, names)

    def _name(self, node: Name, names: Scope) -> Typed:
        if node.name in names:
            return names[node.name]
        if node.name in TYPES:
            return Typed(node)
        raise _undeclared(node.name)

    # --------------------------------------------------------------- selection

    def _select(self, node: Select, names: Scope) -> Typed:
        of = self.of(node.of, names)
        schema = _field(of.schema, node.field)
        if node.optional or of.optional:
            return Typed(_call("optionalField_", of.node, _text(node.field)), schema, True)
        return Typed(Select(of.node, node.field), schema)

    def _index(self, node: Index, names: Scope) -> Typed:
        of, at = self.of(node.of, names), self.of(node.at, names)
        schema = _member(of.schema)
        if node.optional or of.optional:
            return Typed(_call("optionalIndex_", of.node, at.node), schema, True)
        return Typed(Index(of.node, at.node), schema)

    def _items(self, node: Items, names: Scope) -> Typed:
        items = [(optional, self.of(item, names).node) for optional, item in node.items]
        if not any(optional for optional, _ in items):
            return Typed(Items(tuple(items)))
        told = tuple((False, Items(((False, _truth(optional)), (False, item)))) for optional, item in items)
        return Typed(_call("optionalItems_", Items(told)))

    def _entries(self, node: Entries, names: Scope) -> Typed:
        entries = [(optional, self.of(key, names).node, self.of(value, names).node) for optional, key, value in node.entries]
        if not any(optional for optional, _, _ in entries):
            return Typed(Entries(tuple(entries)))
        told = tuple((False, Items(((False, _truth(optional)), (False, key), (False, value)))) for optional, key, value in entries)
        return Typed(_call("optionalEntries_", Items(told)))

    # ------------------------------------------------------------------- calls

    def _call(self, node: Call, names: Scope) -> Typed:
        space = node.of.name if isinstance(node.of, Name) and node.of.name not in names else ""
        if (space, node.name, len(node.args)) == ("cel", "bind", 3):
            return self._bind(node, names)
        if space == "format" and node.name in NAMED_FORMATS and not node.args:
            return Typed(_call("formatNamed_", _text(node.name)))
        if space or node.of is None:
            return self._function(f"{space}.{node.name}" if space else node.name, node, names)
        if node.name in MACROS and len(node.args) >= MACROS[node.name] and isinstance(node.args[0], Name):
            return self._macro(node, names)
        of = self.of(node.of, names)
        if node.name not in METHODS:
            raise _undeclared(node.name)
        args = [self.of(arg, names) for arg in node.args]
        if node.name in ("first", "last"):
            return Typed(Call(of.node, node.name), _member(of.schema), True)
        if node.name == "size" and not args:
            return self._size(of)
        schema = of.schema if node.name in ("orValue", "value", "or") else None
        return Typed(Call(of.node, node.name, tuple(arg.node for arg in args)), schema, node.name in STILL_OPTIONAL)

    def _function(self, name: str, node: Call, names: Scope) -> Typed:
        if name not in FUNCTIONS:
            raise _undeclared(name)
        args = [self.of(arg, names) for arg in node.args]
        if name == "has":
            return self._has(node, args)
        if name == "size" and len(args) == 1:
            return self._size(args[0])
        if name == "matches" and len(args) == 2:
            return Typed(Call(args[0].node, name, (args[1].node,)))
        if name == "string" and len(args) == 1:
            return Typed(_call("string_", args[0].node), TEXT)
        plain = tuple(arg.node for arg in args)
        if name == "format.named":
            return Typed(_call("optionalFormat_", *plain), None, True)
        schema = args[0].schema if name == "optional.of" and args else None
        return Typed(Call(None, name, plain), schema, name.startswith("optional."))

    def _has(self, node: Call, args: list[Typed]) -> Typed:
        if len(node.args) != 1 or not isinstance(node.args[0], Select):
            raise ValueError("invalid argument to has() macro")
        return Typed(_call("has", args[0].node) if not args[0].optional else Call(args[0].node, "hasValue"))

    def _size(self, of: Typed) -> Typed:
        if of.schema is not None and of.schema.get("type") in ("array", "object"):
            return Typed(Call(of.node, "size"), NUMBER)
        name = self._fresh()
        sized = Choice(Binary("==", _call("type", name), Name("string")), _call("letters_", name), Call(name, "size"))
        return Typed(_bound(name, of.node, sized), NUMBER)

    # ------------------------------------------------------------------ macros

    def _fresh(self) -> Name:
        self._pairs += 1
        return Name(f"pair_{self._pairs}")

    def _bind(self, node: Call, names: Scope) -> Typed:
        name, value = node.args[0], self.of(node.args[1], names)
        if not isinstance(name, Name):
            raise ValueError("cel.bind() variable names must be simple identifiers")
        inner = self.of(node.args[2], {**names, name.name: Typed(name, value.schema, value.optional)})
        return Typed(_bound(name, value.node, inner.node), inner.schema, inner.optional)

    def _macro(self, node: Call, names: Scope) -> Typed:
        assert node.of is not None and isinstance(node.args[0], Name)
        of, name = self.of(node.of, names), node.args[0]
        if node.name in ("optMap", "optFlatMap"):
            inner = self.of(node.args[1], {**names, name.name: Typed(name, of.schema)})
            within = inner.node if node.name == "optMap" else _call("optionalList_", inner.node)
            mapped = Call(_call("optionalList_", of.node), "map", (name, within))
            return Typed(_call("optionalOf_" if node.name == "optMap" else "optionalFlat_", mapped), inner.schema, True)
        two = node.name.startswith("transform") or (len(node.args) == 3 and node.name != "map")
        if two:
            return self._of_two(node, of, names)
        key = TEXT if of.schema is not None and of.schema.get("type") == "object" else _member(of.schema)
        inside = {**names, name.name: Typed(name, key)}
        args = tuple(self.of(arg, inside).node for arg in node.args[1:])
        word = "exists_one" if node.name == "existsOne" else node.name
        return Typed(Call(of.node, word, (name, *args)), of.schema if node.name == "filter" and key is not TEXT else None)

    def _of_two(self, node: Call, of: Typed, names: Scope) -> Typed:
        """Over pairs of key (or index) and value, each under its own name."""
        first, second = node.args[:2]
        if not isinstance(first, Name) or not isinstance(second, Name) or len(node.args) > 4:
            raise ValueError(f"argument must be a simple name in {node.name}()")
        pair = self._fresh()
        key = TEXT if of.schema is not None and of.schema.get("type") == "object" else None
        inside = {**names, first.name: Typed(first, key), second.name: Typed(second, _member(of.schema))}

        def within(part: Node) -> Node:
            body = _bound(second, Select(pair, "value"), self.of(part, inside).node)
            return _bound(first, Select(pair, "key"), body)

        pairs: Node = _call("pairs_", of.node)
        if not node.name.startswith("transform"):
            return Typed(Call(pairs, "exists_one" if node.name == "existsOne" else node.name, (pair, within(node.args[2]))))
        *condition, result = node.args[2:]
        if condition:
            pairs = Call(pairs, "filter", (pair, within(condition[0])))
        value = within(result)
        if node.name == "transformMap":
            value = Entries(((False, _text("key"), Select(pair, "key")), (False, _text("value"), value)))
        mapped = Call(pairs, "map", (pair, value))
        return Typed({"transformList": mapped, "transformMap": _call("entries_", mapped)}.get(node.name) or _call("merged_", mapped))


def _bound(name: Name, value: Node, body: Node) -> Node:
    return Index(Call(Items(((False, value),)), "map", (name, body)), Literal("0"))


def _truth(value: bool) -> Literal:
    return Literal("true" if value else "false")


def _undeclared(name: str) -> ValueError:
    return ValueError(f"undeclared reference to '{name}' (in container '')")


# ------------------------------------------------------------------------ questions


def names_in(text: str) -> frozenset[str]:
    """What a rule mentions. Raises ValueError."""
    return frozenset(node.name for node in expression.walk(expression.parse(text)) if isinstance(node, Name))


def depth(text: str) -> int:
    """How deep the macros that go through lists and maps are nested in each other. Raises ValueError."""
    return _depth(expression.parse(text))


def _depth(node: Node) -> int:
    if isinstance(node, Call) and node.of is not None and node.name in MACROS and node.name not in STILL_OPTIONAL:
        return max(_depth(node.of), 1 + max((_depth(arg) for arg in node.args), default=0))
    return max((_depth(part) for part in expression.parts(node)), default=0)


# ------------------------------------------------------------------------ schemas


def _field(schema: Schema | None, name: str) -> Schema | None:
    """The schema of a field, by the name that CEL can spell. Raises ValueError for one that is not there."""
    if schema is None:
        return None
    kind, fields = schema.get("type"), schema.get("properties")
    if kind in _TYPE_NAMES:
        raise ValueError(f"type '{_TYPE_NAMES[kind]}' does not support field selection")
    if fields is None:
        return values.values_schema(schema)
    for plain, child in fields.items():
        if escape(plain) == name:
            return child
    if name in values.OF_EVERY_OBJECT or schema.get(values.PRESERVE):
        return None
    raise ValueError(f"undefined field '{name}'")


def _member(schema: Schema | None) -> Schema | None:
    if schema is None:
        return None
    items: Any = schema.get("items") if schema.get("type") == "array" else values.values_schema(schema)
    return items if isinstance(items, dict) else None


def escape(name: str) -> str:
    """A field's name as CEL can spell it."""
    if name in expression.RESERVED or name in ("true", "false", "null", "in"):
        return f"__{name}__"
    for plain, escaped in (("__", "__underscores__"), (".", "__dot__"), ("-", "__dash__"), ("/", "__slash__")):
        name = name.replace(plain, escaped)
    return name
