"""CEL expressions as trees: read from text, and written as text again. Pure.

The library that evaluates CEL knows a part of what Kubernetes lets rules say; `dialect.py` says the rest in terms of that part, and for
that it needs the tree. The grammar is that of the CEL specification with its optional syntax (`a.?b`, `a[?b]`, `[?a]`, `{?k: v}`); macros
are calls like any other here. Depth is bounded, because rules come from clients and this parser recurses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

MAX_DEPTH = 100
TOO_DEEP = f"the expression is nested more than {MAX_DEPTH} levels deep"
RESERVED = frozenset("as break const continue else for function if import let loop package namespace return var void while".split())

_TOKEN = re.compile(
    r"""(?P<space>(?:\s|//[^\n]*)+)
      | (?P<text>(?:[rR][bB]?|[bB][rR]?)?(?:\"\"\"(?:\\.|[^\\])*?\"\"\"|'''(?:\\.|[^\\])*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
      | (?P<number>\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?|0x[0-9a-fA-F]+[uU]?|\d+[uU]?)
      | (?P<name>[_a-zA-Z][_a-zA-Z0-9]*)
      | (?P<sign>&&|\|\||<=|>=|==|!=|[-+*/%<>!?:.,()\[\]{}])""",
    re.VERBOSE | re.DOTALL,
)
_BINDING = (("||",), ("&&",), ("<", "<=", ">", ">=", "==", "!=", "in"), ("+", "-"), ("*", "/", "%"))
_LEVELS = {sign: level for level, signs in enumerate(_BINDING) for sign in signs}
"""Binary operators, the loosest with the lowest number."""


class Literal(msgspec.Struct, frozen=True):
    text: str


class Name(msgspec.Struct, frozen=True):
    name: str


class Select(msgspec.Struct, frozen=True):
    of: Node
    field: str
    optional: bool = False


class Index(msgspec.Struct, frozen=True):
    of: Node
    at: Node
    optional: bool = False


class Call(msgspec.Struct, frozen=True):
    """of None: a function of its own."""

    of: Node | None
    name: str
    args: tuple[Node, ...] = ()


class Unary(msgspec.Struct, frozen=True):
    sign: str
    of: Node


class Binary(msgspec.Struct, frozen=True):
    sign: str
    left: Node
    right: Node


class Choice(msgspec.Struct, frozen=True):
    when: Node
    then: Node
    other: Node


class Items(msgspec.Struct, frozen=True):
    """A list; True marks an optional element."""

    items: tuple[tuple[bool, Node], ...] = ()


class Entries(msgspec.Struct, frozen=True):
    """A map."""

    entries: tuple[tuple[bool, Node, Node], ...] = ()


Node = Literal | Name | Select | Index | Call | Unary | Binary | Choice | Items | Entries


def parts(node: Node) -> tuple[Node, ...]:
    """What a node consists of, in the order of the text."""
    match node:
        case Select() | Unary():
            return (node.of,)
        case Index():
            return node.of, node.at
        case Call():
            return (() if node.of is None else (node.of,)) + node.args
        case Binary():
            return node.left, node.right
        case Choice():
            return node.when, node.then, node.other
        case Items():
            return tuple(item for _, item in node.items)
        case Entries():
            return tuple(part for _, key, value in node.entries for part in (key, value))
        case _:
            return ()


def walk(node: Node) -> Iterator[Node]:
    yield node
    for part in parts(node):
        yield from walk(part)


# ------------------------------------------------------------------------ reading


def parse(text: str) -> Node:
    """Raises ValueError with the place of what cannot be read."""
    try:
        return _Parser(text).whole()
    except RecursionError:
        raise ValueError(TOO_DEEP) from None


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise ValueError(f"Syntax error: token recognition error at: '{text[at]}' (column {at + 1})")
        if found.lastgroup != "space":
            yield str(found.lastgroup), found.group(), at
        at = found.end()
    yield "end", "<EOF>", at


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._next = 0
        self._depth = 0

    @property
    def _word(self) -> str:
        kind, word, _ = self._tokens[self._next]
        return word if kind in ("sign", "name") else ""

    def _take(self, *words: str) -> str:
        """The next word if it is one of these, else ""."""
        word = self._word
        if word not in words:
            return ""
        self._next += 1
        return word

    def _expect(self, word: str) -> None:
        if not self._take(word):
            raise self._odd(f"expecting '{word}'")

    def _odd(self, why: str) -> ValueError:
        _, word, at = self._tokens[self._next]
        return ValueError(f"Syntax error: {why} at '{word}' (column {at + 1})")

    def whole(self) -> Node:
        node = self._expression()
        if self._tokens[self._next][0] != "end":
            raise self._odd("unexpected input")
        return node

    def _expression(self) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ValueError(TOO_DEEP)
        node = self._binary(0)
        if self._take("?"):
            then = self._binary(0)
            self._expect(":")
            node = Choice(node, then, self._expression())
        self._depth -= 1
        return node

    def _binary(self, level: int) -> Node:
        node = self._unary()
        while _LEVELS.get(sign := self._word, -1) >= level:
            self._next += 1
            node = Binary(sign, node, self._binary(_LEVELS[sign] + 1))
        return node

    def _unary(self) -> Node:
        sign, count = self._word, 0
        while sign in ("!", "-") and self._take(sign):
            count += 1
        if count > MAX_DEPTH:
            raise ValueError(TOO_DEEP)
        node = self._member()
        for _ in range(count):
            node = Unary(sign, node)
        return node

    def _member(self) -> Node:
        node, length = self._primary(), 0
        while sign := self._take(".", "["):
            length += 1
            if length > MAX_DEPTH:
                raise ValueError(TOO_DEEP)
            optional = bool(self._take("?"))
            if sign == "[":
                node = Index(node, self._expression(), optional)
                self._expect("]")
                continue
            name = self._name()
            if not optional and self._take("("):
                node = Call(node, name, self._arguments(")"))
            else:
                node = Select(node, name, optional)
        return node

    def _name(self) -> str:
        kind, word, _ = self._tokens[self._next]
        if kind != "name":
            raise self._odd("expecting a name")
        self._next += 1
        return word

    def _arguments(self, end: str) -> tuple[Node, ...]:
        found: list[Node] = []
        while not self._take(end):
            if found:
                self._expect(",")
            found.append(self._expression())
        return tuple(found)

    def _primary(self) -> Node:
        kind, word, _ = self._tokens[self._next]
        if kind in ("text", "number"):
            self._next += 1
            return Literal(word)
        if kind == "name":
            return self._named()
        match self._take(".", "(", "[", "{"):
            case ".":
                return self._named()
            case "(":
                node = self._expression()
                self._expect(")")
                return node
            case "[":
                return Items(tuple(self._items()))
            case "{":
                return Entries(tuple(self._entries()))
        raise self._odd("unexpected input")

    def _named(self) -> Node:
        word = self._name()
        if word in RESERVED:
            self._next -= 1
            raise self._odd("reserved identifier")
        if word in ("true", "false", "null"):
            return Literal(word)
        return Call(None, word, self._arguments(")")) if self._take("(") else Name(word)

    def _items(self) -> Iterator[tuple[bool, Node]]:
        while not self._take("]"):
            yield bool(self._take("?")), self._expression()
            if self._word != "]":
                self._expect(",")

    def _entries(self) -> Iterator[tuple[bool, Node, Node]]:
        while not self._take("}"):
            optional, key = bool(self._take("?")), self._expression()
            self._expect(":")
            yield optional, key, self._expression()
            if self._word != "}":
                self._expect(",")


# ------------------------------------------------------------------------ writing


def write(node: Node) -> str:
    """The text of a tree without optional syntax; parentheses around everything that could need them."""
    match node:
        case Literal():
            return node.text
        case Name():
            return node.name
        case Select():
            return f"{write(node.of)}.{node.field}"
        case Index():
            return f"{write(node.of)}[{write(node.at)}]"
        case Call():
            head = "" if node.of is None else f"{write(node.of)}."
            return f"{head}{node.name}({', '.join(map(write, node.args))})"
        case Unary():
            return f"({node.sign}{write(node.of)})"
        case Binary():
            return f"({write(node.left)} {node.sign} {write(node.right)})"
        case Choice():
            return f"({write(node.when)} ? {write(node.then)} : {write(node.other)})"
        case Items():
            return f"[{', '.join(write(item) for _, item in node.items)}]"
        case Entries():
            return f"{{{', '.join(f'{write(key)}: {write(value)}' for _, key, value in node.entries)}}}"
