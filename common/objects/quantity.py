"""Kubernetes resource quantities: "100m", "1.5Gi", "2e3", 4.

Owns parsing to exact integers and printing back. Arithmetic is done by the callers on plain integers, in the unit that
the resource is counted in: thousandths of a core for CPU, whole bytes for memory, whole numbers for the rest. Rounding is
always up, as in apimachinery's `resource.Quantity`, so that a request is never counted as less than it is.
"""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal
from functools import lru_cache

PATTERN = re.compile(r"^([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))((?:[KMGTPE]i)|[numkMGTPE]|(?:[eE][+-]?[0-9]+))?$")
REGEX_TEXT = "^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$"
"""The expression as Kubernetes' error message quotes it."""

_BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_MAX_LENGTH = 64


@lru_cache(maxsize=4096)
def _exact(text: str) -> Decimal:
    if len(text) > _MAX_LENGTH:
        raise ValueError(f"quantities must match the regular expression '{REGEX_TEXT}'")
    match = PATTERN.match(text)
    if match is None:
        raise ValueError(f"quantities must match the regular expression '{REGEX_TEXT}'")
    number, suffix = Decimal(match[1]), match[2] or ""
    if suffix in _BINARY:
        return number * _BINARY[suffix]
    if suffix in _DECIMAL:
        return number.scaleb(_DECIMAL[suffix])
    exponent = int(suffix[1:])
    if abs(exponent) > 30:
        raise ValueError(f"quantities must match the regular expression '{REGEX_TEXT}'")
    return number.scaleb(exponent)


def exact(quantity: str | int | float) -> Decimal:
    """The quantity's exact value. Raises ValueError with Kubernetes' text."""
    return _exact(quantity if isinstance(quantity, str) else repr(quantity))


def value(quantity: str | int | float) -> int:
    """Whole units, rounded up: bytes of "1Gi", pods of "110". Raises ValueError."""
    return int(exact(quantity).to_integral_value(ROUND_CEILING))


def milli(quantity: str | int | float) -> int:
    """Thousandths, rounded up: 250 for "250m", 1500 for "1.5". Raises ValueError."""
    return int((exact(quantity) * 1000).to_integral_value(ROUND_CEILING))


@lru_cache(maxsize=4096)
def of(resource: str, quantity: str | int | float) -> int:
    """In the unit that the resource is counted in: thousandths for "cpu", whole units for all others."""
    return milli(quantity) if resource == "cpu" else value(quantity)


def cpu_text(thousandths: int) -> str:
    """The canonical form of so many thousandths of a core: "250m", "2"."""
    return str(thousandths // 1000) if thousandths % 1000 == 0 else f"{thousandths}m"


def bytes_text(count: int) -> str:
    """The canonical binary form of so many bytes: "64Mi", "1Gi", "1000"."""
    for suffix in ("Ei", "Pi", "Ti", "Gi", "Mi", "Ki"):
        unit = _BINARY[suffix]
        if count and count % unit == 0:
            return f"{count // unit}{suffix}"
    return str(count)


def nano_text(count: int) -> str:
    """The canonical form of so many billionths: "250m" for 250,000,000, "1234567n"."""
    for suffix in ("n", "u", "m"):
        if not count or count % 1000:
            return f"{count}{suffix}" if count else "0"
        count //= 1000
    return str(count)


def kibibytes_text(count: int) -> str:
    """So many bytes in whole KiB, rounded up: what is measured in pages of memory is never finer."""
    return f"{-(-count // 1024)}Ki"


def is_extended(resource: str) -> bool:
    """Whether it is a resource of somebody's own: `example.com/gpu`, outside Kubernetes' domain."""
    domain, slash, name = resource.partition("/")
    return bool(domain and slash and name) and domain != "kubernetes.io" and not domain.endswith(".kubernetes.io")
