"""The formats that CEL rules may ask for by name (`format.dns1123Label().validate(text)`), and what is wrong with a text without one."""

from __future__ import annotations

from collections.abc import Callable

from common.errors import FieldCause
from master.api.crd import formats
from master.api.kinds import rules

Check = Callable[[str, str], list[FieldCause]]


def _prefix(check: Check) -> Check:
    """A name that may go on: one that ends in a dash may be one."""
    return lambda field, text: check(field, text[:-1] + "a" if text.endswith("-") else text)


def _label_value(field: str, text: str) -> list[FieldCause]:
    return rules.labels(field, {"key": text})


def _qualified(field: str, text: str) -> list[FieldCause]:
    return rules.annotations(field, {text: ""})


def _format(name: str) -> Check:
    return lambda field, text: [] if formats.STRINGS[name](text) else [rules.invalid(field, text, f"does not have the format {name}")]


FORMATS: dict[str, Check] = {
    "dns1123Label": rules.label_name,
    "dns1123Subdomain": rules.subdomain_name,
    "dns1035Label": rules.service_name,
    "dns1123LabelPrefix": _prefix(rules.label_name),
    "dns1123SubdomainPrefix": _prefix(rules.subdomain_name),
    "dns1035LabelPrefix": _prefix(rules.service_name),
    "qualifiedName": _qualified,
    "labelValue": _label_value,
    **{name: _format(name) for name in ("uri", "uuid", "byte", "date", "datetime")},
}


def problems(name: str, text: str) -> list[str]:
    """In words; empty when the text has the format."""
    return [cause.message.removeprefix(f'Invalid value: "{text}": ') for cause in FORMATS[name]("", text)]
