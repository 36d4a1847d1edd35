"""The `format`s of strings and numbers that a custom resource's schema may ask for, as Kubernetes checks them.

A format that is not here is not checked, as in Kubernetes: it is a hint to people.
"""

from __future__ import annotations

import binascii
import datetime
import ipaddress
import re
import urllib.parse
from collections.abc import Callable
from typing import Any

_HOSTNAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*\.?")
_EMAIL = re.compile(r"[^@\s\"<>]+@[A-Za-z0-9.-]+")
_MAC = re.compile(r"[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}")
_UUID = re.compile(r"[0-9A-Fa-f]{8}-?[0-9A-Fa-f]{4}-?[0-9A-Fa-f]{4}-?[0-9A-Fa-f]{4}-?[0-9A-Fa-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")
_DURATION = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)((\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h))*|0")
_HEX_COLOUR = re.compile(r"#?([0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})")
_SHORT_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_LONG_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


def _matches(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda text: pattern.fullmatch(text) is not None


def _parses(parse: Callable[[str], object]) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            parse(text)
        except ValueError:
            return False
        return True

    return check


def _uri(text: str) -> bool:
    try:
        return bool(urllib.parse.urlsplit(text).scheme) or text.startswith("/")
    except ValueError:
        return False


def _cidr(text: str) -> bool:
    return "/" in text and _parses(lambda t: ipaddress.ip_network(t, strict=False))(text)


def _date_time(text: str) -> bool:
    return _TIME.fullmatch(text) is not None and _parses(datetime.date.fromisoformat)(text[:10])


STRINGS: dict[str, Callable[[str], bool]] = {
    "date-time": _date_time,
    "datetime": _date_time,
    "date": _parses(datetime.date.fromisoformat),
    "duration": _matches(_DURATION),
    "uri": _uri,
    "email": _matches(_EMAIL),
    "hostname": _matches(_HOSTNAME),
    "ipv4": _parses(ipaddress.IPv4Address),
    "ipv6": _parses(ipaddress.IPv6Address),
    "cidr": _cidr,
    "mac": _matches(_MAC),
    "uuid": _matches(_UUID),
    "byte": _parses(lambda text: binascii.a2b_base64(text, strict_mode=True)),
    "hexcolor": _matches(_HEX_COLOUR),
    "k8s-short-name": _matches(_SHORT_NAME),
    "k8s-long-name": _matches(_LONG_NAME),
}

RANGES: dict[str, tuple[float, float]] = {"int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1)}


def fits(value: Any, name: str) -> bool:
    """Does a string or a number have this format?"""
    if isinstance(value, str):
        check = STRINGS.get(name)
        return check is None or check(value)
    low, high = RANGES.get(name, (float("-inf"), float("inf")))
    return low <= value <= high
