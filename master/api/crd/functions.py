"""The functions that Kubernetes adds to CEL: lists, regular expressions, URLs, addresses, quantities, versions, formats.

CEL reads `x.f(a)` as `f(x, a)`, so each is a plain function of values. The strings and mathematics that cel-go has come from the
library's own extension; what the language itself lacks is in `optionals.py`, under names that end in an underscore. What has no type in
CEL (a URL, a quantity, an address) is a map with the one key of its kind, in the one form that makes equal ones equal.
Source of the semantics: Kubernetes' reference "Common Expression Language in Kubernetes".
"""

from __future__ import annotations

import ipaddress
import urllib.parse
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import re2
from cel import stdlib

from common.objects import quantity as quantities
from master.api.crd import named_formats as names
from master.api.crd import optionals

Json = dict[str, Any]


def add_to(context: Any) -> None:
    """Everything into a context of the library's."""
    stdlib.add_stdlib_to_context(context)
    for name, function in (FUNCTIONS | optionals.FUNCTIONS).items():
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
    return _of_amount(quantities.exact(text))


def _of_amount(amount: Decimal) -> Json:
    plain = f"{amount:f}"
    return {"quantity": plain.rstrip("0").rstrip(".") if "." in plain else plain}


def _amount(given: Json | int) -> Any:
    """What can be compared and added: of a quantity, or of a version."""
    if isinstance(given, int):
        return given
    return _precedence(given["semver"]) if "semver" in given else quantities.exact(given["quantity"])


def _compared(a: Json, b: Json) -> int:
    return (_amount(a) > _amount(b)) - (_amount(a) < _amount(b))


def _address(given: Json | str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """No zones and no IPv4 inside IPv6, as in Kubernetes."""
    text = given["ip"] if isinstance(given, dict) else given
    address = ipaddress.ip_address(text)
    if "%" in text or (isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None):
        raise ValueError(f"IP Address {text!r} parse error: zones and IPv4-mapped IPv6 addresses are not allowed")
    return address


def _ip(given: str | Json) -> Json:
    """Also the address of a CIDR, which keeps the bits of the host."""
    if isinstance(given, dict):
        return {"ip": given["cidr"].partition("/")[0]}
    return {"ip": str(_address(given))}


def _is_canonical(text: str) -> bool:
    return str(_address(text)) == text


def _cidr(text: str) -> Json:
    address, slash, length = text.partition("/")
    if not slash or not length.isascii() or not length.isdigit() or (length[0] == "0" and length != "0"):
        raise ValueError(f"network address parse error during conversion from string: {text!r} is no CIDR")
    _network({"cidr": text})
    return {"cidr": f"{_address(address)}/{length}"}


def _network(cidr: Json | str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(cidr["cidr"] if isinstance(cidr, dict) else cidr, strict=False)


def _contains_cidr(outer: Json, inner: Json | str) -> bool:
    wide, narrow = _network(outer), _network(_cidr(inner) if isinstance(inner, str) else inner)
    return wide.version == narrow.version and narrow.subnet_of(wide)  # type: ignore[arg-type]


def _is_global_unicast(ip: Json) -> bool:
    """As Go counts them: private addresses too."""
    address = _address(ip)
    broadcast = str(address) == "255.255.255.255"
    return not (address.is_unspecified or address.is_loopback or address.is_multicast or address.is_link_local or broadcast)


def _is_link_local_multicast(ip: Json) -> bool:
    address = _address(ip)
    if isinstance(address, ipaddress.IPv4Address):
        return address in ipaddress.ip_network("224.0.0.0/24")
    return address.packed[0] == 0xFF and address.packed[1] & 0x0F == 0x02


_SEMVER = re2.compile(
    r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
    r"(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?"
    r"(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?$"
)


def _semver(text: str, normalize: bool = False) -> Json:
    """normalize: without a leading `v`, with missing numbers as 0, and without leading zeros."""
    if normalize:
        head, mark, rest = text.removeprefix("v").partition("-") if "-" in text else (text.removeprefix("v"), "", "")
        numbers = [*head.split("."), "0", "0"][: max(3, head.count(".") + 1)]
        text = ".".join(number.lstrip("0") or "0" for number in numbers) + mark + rest
    if not _SEMVER.match(text):
        raise ValueError(f"invalid semantic version {text!r}")
    return {"semver": text}


def _precedence(text: str) -> Any:
    major, minor, patch, before, _ = _SEMVER.match(text).groups()
    steps = tuple((0, int(step), "") if step.isdigit() else (1, 0, step) for step in before.split(".")) if before else ()
    return int(major), int(minor), int(patch), not before, steps


def _number(index: int) -> Callable[[Json], int]:
    return lambda version: int(_SEMVER.match(version["semver"]).group(index + 1))


def _contains(where: Any, what: Any) -> bool:
    """CEL's own `contains` of texts, and lists."""
    return what in where


def _validated(form: Json, text: str) -> Any:
    """optional.none() when the text has the form; else what is wrong."""
    wrong = names.problems(form["format"], text)
    return optionals.some(wrong) if wrong else optionals.none()


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
    "add": lambda a, b: _of_amount(_amount(a) + _amount(b)),
    "sub": lambda a, b: _of_amount(_amount(a) - _amount(b)),
    "isInteger": lambda a: _amount(a) == int(_amount(a)),
    "asInteger": lambda a: int(_amount(a)),
    "asApproximateFloat": lambda a: float(_amount(a)),
    "ip": _ip,
    "isIP": _succeeds(_ip),
    "cidr": _cidr,
    "isCIDR": _succeeds(_cidr),
    "ip.isCanonical": _is_canonical,
    "family": lambda a: _address(a).version,
    "isUnspecified": lambda a: _address(a).is_unspecified,
    "isLoopback": lambda a: _address(a).is_loopback,
    "isLinkLocalUnicast": lambda a: _address(a).is_link_local,
    "isLinkLocalMulticast": _is_link_local_multicast,
    "isGlobalUnicast": _is_global_unicast,
    "containsIP": lambda cidr, ip: _address(ip) in _network(cidr),
    "containsCIDR": _contains_cidr,
    "masked": lambda cidr: {"cidr": str(_network(cidr))},
    "prefixLength": lambda cidr: _network(cidr).prefixlen,
    "semver": _semver,
    "isSemver": _succeeds(_semver),
    "major": _number(0),
    "minor": _number(1),
    "patch": _number(2),
    "formatNamed_": lambda name: {"format": name},
    "optionalFormat_": lambda name: optionals.some({"format": name}) if name in names.FORMATS else optionals.none(),
    "validate": _validated,
}
