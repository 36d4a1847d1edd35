"""The functions that Kubernetes adds to CEL: lists, regular expressions, URLs, addresses, quantities, formatting.

CEL reads `x.f(a)` as `f(x, a)`, so each is a plain function of values. The strings and mathematics that cel-go has come from the
library's own extension. What has no type in CEL (a URL, a quantity, an address) is a map with the one key of its kind.
Source of the semantics: Kubernetes' reference "Common Expression Language in Kubernetes".
"""

from __future__ import annotations

import ipaddress
import urllib.parse
from collections.abc import Callable
from typing import Any

import re2
from cel import stdlib

from common.objects import quantity as quantities

Json = dict[str, Any]


def add_to(context: Any) -> None:
    """Everything into a context of the library's."""
    stdlib.add_stdlib_to_context(context)
    for name, function in FUNCTIONS.items():
        context.add_function(name, function)


def _index_of(where: Any, what: Any, *start: int) -> int:
    if isinstance(where, str):
        return where.find(what, *start)
    return where.index(what) if what in where else -1


def _last_index_of(where: Any, what: Any) -> int:
    if isinstance(where, str):
        return where.rfind(what)
    return len(where) - 1 - where[::-1].index(what) if what in where else -1


def _is_sorted(items: list[Any]) -> bool:
    return all(a <= b for a, b in zip(items, items[1:], strict=False))


def _find(text: str, pattern: str) -> str:
    found = re2.search(pattern, text)
    return found.group() if found else ""


def _find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    found = [match.group() for match in re2.finditer(pattern, text)]
    return found if limit < 0 else found[:limit]


def _succeeds(parse: Callable[..., Any]) -> Callable[..., bool]:
    def check(*given: Any) -> bool:
        try:
            parse(*given)
        except ValueError:
            return False
        return True

    return check


def _url(text: str) -> Json:
    parsed = urllib.parse.urlsplit(text)
    if not parsed.scheme and not text.startswith("/"):
        raise ValueError(f"URL parse error during conversion from string: parse {text!r}: invalid URI for request")
    return {"url": text}


def _of_url(part: Callable[[urllib.parse.SplitResult], Any]) -> Callable[[Json], Any]:
    return lambda url: part(urllib.parse.urlsplit(url["url"]))


def _host(parsed: urllib.parse.SplitResult) -> str:
    return parsed.netloc.rpartition("@")[2]


def _quantity(text: str) -> Json:
    quantities.exact(text)
    return {"quantity": text}


def _amount(given: Json | int) -> Any:
    return given if isinstance(given, int) else quantities.exact(given["quantity"])


def _compared(a: Json, b: Json) -> int:
    return (_amount(a) > _amount(b)) - (_amount(a) < _amount(b))


def _ip(text: str) -> Json:
    return {"ip": str(ipaddress.ip_address(text))}


def _cidr(text: str) -> Json:
    if "/" not in text:
        raise ValueError(f"invalid CIDR {text!r}")
    return {"cidr": str(ipaddress.ip_network(text, strict=False))}


def _contains(where: Any, what: Any) -> bool:
    """Also CEL's own `contains` of texts, which this replaces."""
    if isinstance(where, dict) and "cidr" in where:
        network = ipaddress.ip_network(where["cidr"])
        address = ipaddress.ip_address(what["ip"] if isinstance(what, dict) else what)
        return address in network
    return what in where


def _format(text: str, given: list[Any]) -> str:
    """%s, %d, %f, %e, %x, %X, %o, %b and %%, with a precision where one is given."""
    left = list(given)

    def one(match: Any) -> str:
        precision, verb = match.group(1) or "", match.group(2)
        if verb == "%":
            return "%"
        if not left:
            raise ValueError("too few arguments for the format")
        value = left.pop(0)
        if verb == "s":
            return _shown(value)
        return format(value, f"{precision or ('.6' if verb in 'ef' else '')}{verb}")

    return re2.sub(r"%(\.\d+)?([sdfexXob%])", one, text)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(_shown(item) for item in value) + "]"
    return "null" if value is None else str(value)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "indexOf": _index_of,
    "lastIndexOf": _last_index_of,
    "isSorted": _is_sorted,
    "find": _find,
    "findAll": _find_all,
    "format": _format,
    "contains": _contains,
    "url": _url,
    "isURL": _succeeds(_url),
    "getScheme": _of_url(lambda u: u.scheme),
    "getHost": _of_url(_host),
    "getHostname": _of_url(lambda u: _host(u).partition("]")[0].lstrip("[") if "[" in _host(u) else _host(u).partition(":")[0]),
    "getPort": _of_url(lambda u: str(u.port or "")),
    "getEscapedPath": _of_url(lambda u: u.path),
    "getQuery": _of_url(lambda u: urllib.parse.parse_qs(u.query, keep_blank_values=True)),
    "quantity": _quantity,
    "isQuantity": _succeeds(_quantity),
    "isGreaterThan": lambda a, b: _compared(a, b) > 0,
    "isLessThan": lambda a, b: _compared(a, b) < 0,
    "compareTo": _compared,
    "sign": lambda a: _compared(a, {"quantity": "0"}),
    "add": lambda a, b: {"quantity": str(_amount(a) + _amount(b))},
    "sub": lambda a, b: {"quantity": str(_amount(a) - _amount(b))},
    "isInteger": lambda a: _amount(a) == int(_amount(a)),
    "asInteger": lambda a: int(_amount(a)),
    "asApproximateFloat": lambda a: float(_amount(a)),
    "ip": _ip,
    "isIP": _succeeds(_ip),
    "cidr": _cidr,
    "isCIDR": _succeeds(_cidr),
    "containsIP": _contains,
    "family": lambda a: ipaddress.ip_address(a["ip"]).version,
    "prefixLength": lambda a: ipaddress.ip_network(a["cidr"]).prefixlen,
}
