"""The words and the basic rules of validation, shared by all kinds.

Owns the field errors in Kubernetes' words (`apimachinery/pkg/util/validation/field`) and the syntax rules for names, labels
and ports (`apimachinery/pkg/util/validation`). Kinds combine them. A rule returns the offending fields; it never raises and
never changes a document.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterable
from typing import Any

from common.errors import FieldCause
from common.objects import quantity, selectors
from master.api.contract import Document

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
SERVICE_LABEL = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
PORT_NAME = re.compile(r"[-a-z0-9]*[a-z][-a-z0-9]*")
ENV_NAME = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")

LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    "an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
SERVICE_LABEL_TEXT = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and "
    "end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
    "'[a-z]([-a-z0-9]*[a-z0-9])?')"
)
LABEL_VALUE_TEXT, QUALIFIED_TEXT = selectors.VALUE_TEXT, selectors.KEY_TEXT
PERCENT = re.compile(r"[0-9]+%")
PERCENT_TEXT = (
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for "
    "validation is '[0-9]+%')"
)
NOT_NEGATIVE = "must be greater than or equal to 0"
IMMUTABLE = "field is immutable"
FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"
STANDARD_FINALIZERS = (FOREGROUND, ORPHAN, "kubernetes")
MAX_ANNOTATIONS_BYTES = 256 * 1024


def shown(value: Any) -> str:
    """A value as Kubernetes prints it in an error."""
    if isinstance(value, dict) and value and all(isinstance(v, str) for v in value.values()):
        return "map[string]string{" + ", ".join(f"{json.dumps(k)}:{json.dumps(v)}" for k, v in sorted(value.items())) + "}"
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def invalid(field: str, value: Any, why: str) -> FieldCause:
    return FieldCause("FieldValueInvalid", f"Invalid value: {shown(value)}: {why}", field)


def required(field: str, why: str = "") -> FieldCause:
    return FieldCause("FieldValueRequired", f"Required value: {why}" if why else "Required value", field)


def duplicate(field: str, value: Any) -> FieldCause:
    return FieldCause("FieldValueDuplicate", f"Duplicate value: {shown(value)}", field)


def not_found(field: str, value: Any) -> FieldCause:
    return FieldCause("FieldValueNotFound", f"Not found: {shown(value)}", field)


def forbidden(field: str, why: str) -> FieldCause:
    return FieldCause("FieldValueForbidden", f"Forbidden: {why}", field)


def too_long(field: str, limit: int) -> FieldCause:
    return FieldCause("FieldValueTooLong", f"Too long: may not be more than {limit} bytes", field)


def unsupported(field: str, value: Any, supported: Iterable[str]) -> FieldCause:
    words = ", ".join(f'"{word}"' for word in sorted(supported))
    return FieldCause("FieldValueNotSupported", f"Unsupported value: {shown(value)}: supported values: {words}", field)


def one_of(field: str, value: Any, supported: Iterable[str]) -> list[FieldCause]:
    return [] if value in supported else [unsupported(field, value, supported)]


def label_name(field: str, name: str) -> list[FieldCause]:
    """A DNS-1123 label: container, volume, namespace names."""
    if len(name) > 63:
        return [invalid(field, name, "must be no more than 63 bytes")]
    return [] if LABEL.fullmatch(name) else [invalid(field, name, LABEL_TEXT)]


def subdomain_name(field: str, name: str) -> list[FieldCause]:
    """A DNS-1123 subdomain: most objects' names."""
    if len(name) > 253:
        return [invalid(field, name, "must be no more than 253 bytes")]
    return [] if SUBDOMAIN.fullmatch(name) else [invalid(field, name, SUBDOMAIN_TEXT)]


def service_name(field: str, name: str) -> list[FieldCause]:
    """A DNS-1035 label: services' names."""
    if len(name) > 63:
        return [invalid(field, name, "must be no more than 63 bytes")]
    return [] if SERVICE_LABEL.fullmatch(name) else [invalid(field, name, SERVICE_LABEL_TEXT)]


def path_segment(field: str, name: str) -> list[FieldCause]:
    """Whatever fits into one segment of a URL's path: names of roles, of bindings, requests for certificates, and APIServices."""
    if name in (".", ".."):
        return [invalid(field, name, f"may not be '{name}'")]
    return [invalid(field, name, f"may not contain '{character}'") for character in "/%" if character in name]


def object_name(resource: str, field: str, name: str) -> list[FieldCause]:
    """The rule for the resource's own names, by the registry's key."""
    if resource == "namespaces":
        return label_name(field, name)
    if resource == "services":
        return service_name(field, name)
    if resource == "ipaddresses.networking.k8s.io":
        return ip(field, name)
    if resource.endswith((".rbac.authorization.k8s.io", ".certificates.k8s.io", ".apiregistration.k8s.io")):  # the core group's is `v1.`
        return path_segment(field, name)
    return subdomain_name(field, name)


def labels(field: str, given: Any) -> list[FieldCause]:
    found: list[FieldCause] = []
    for key, value in (given or {}).items():
        if not selectors.valid_key(key):
            found.append(invalid(field, key, QUALIFIED_TEXT))
        if len(value) > 63:
            found.append(invalid(field, value, "must be no more than 63 bytes"))
        elif not selectors.valid_value(value):
            found.append(invalid(field, value, LABEL_VALUE_TEXT))
    return found


def annotations(field: str, given: Any) -> list[FieldCause]:
    found = [invalid(field, key, QUALIFIED_TEXT) for key in given or {} if not selectors.valid_key(key.lower())]
    if sum(len(k) + len(v) for k, v in (given or {}).items()) > MAX_ANNOTATIONS_BYTES:
        found.append(too_long(field, MAX_ANNOTATIONS_BYTES))
    return found


def metadata(document: Document, field: str = "metadata") -> list[FieldCause]:
    """Labels, annotations, finalizers and owner references; the door checks the name."""
    meta = document.get("metadata") or {}
    found = labels(f"{field}.labels", meta.get("labels")) + annotations(f"{field}.annotations", meta.get("annotations"))
    finalizers = meta.get("finalizers") or []
    found += [invalid(f"{field}.finalizers", each, QUALIFIED_TEXT) for each in finalizers if not selectors.valid_key(each)]
    if {ORPHAN, FOREGROUND} <= set(finalizers):
        found.append(invalid(f"{field}.finalizers", finalizers, f"finalizer {ORPHAN} and {FOREGROUND} cannot be both set"))
    return found + _owners(f"{field}.ownerReferences", meta.get("ownerReferences") or [])


def _owners(field: str, owners: list[Document]) -> list[FieldCause]:
    """Subtle: their paths have no index, as in Kubernetes."""
    found, controller = [], ""
    for owner in owners:
        for name in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(name):
                found.append(invalid(f"{field}.{name}", "", "version must not be empty" if name == "apiVersion" else "must not be empty"))
        if owner.get("kind") == "Event" and owner.get("apiVersion") == "v1":
            found.append(invalid(field, owner, "/v1, Kind=Event is disallowed from being an owner"))
        if not owner.get("controller"):
            continue
        this = f"{owner.get('kind')}/{owner.get('name')}"
        if controller:
            why = f'Only one reference can have Controller set to true. Found "true" in references for {controller} and {this}'
            found.append(invalid(field, owners, why))
        else:
            controller = this
    return found


FREE_FINALIZERS = ("apiextensions.k8s.io", "apiregistration.k8s.io")
"""Groups whose objects may have a finalizer of one word; definitions of custom resources have one themselves."""


def standard_finalizers(document: Document) -> list[FieldCause]:
    """Of Kubernetes' own kinds: a finalizer is one of the known ones, or has a domain."""
    return [
        invalid(f"metadata.finalizers[{i}]", finalizer, "name is neither a standard finalizer name nor is it fully qualified")
        for i, finalizer in enumerate(document["metadata"].get("finalizers") or ())
        if "/" not in finalizer and finalizer not in STANDARD_FINALIZERS
    ]


def not_negative(field: str, value: int | None) -> list[FieldCause]:
    return [invalid(field, value, NOT_NEGATIVE)] if value is not None and value < 0 else []


def port(field: str, number: int) -> list[FieldCause]:
    return [] if 0 < number < 65536 else [invalid(field, number, "must be between 1 and 65535, inclusive")]


def port_name(field: str, name: str) -> list[FieldCause]:
    """An IANA service name."""
    if len(name) > 15:
        return [invalid(field, name, "must be no more than 15 characters")]
    if not PORT_NAME.fullmatch(name):
        return [invalid(field, name, "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")]
    if "--" in name or name.startswith("-") or name.endswith("-"):
        return [invalid(field, name, "must not contain consecutive hyphens, nor begin or end with one")]
    return []


def immutable(field: str, new: Any, old: Any) -> list[FieldCause]:
    return [invalid(field, new, IMMUTABLE)] if new != old else []


def positive(field: str, value: int | None) -> list[FieldCause]:
    return [invalid(field, value, "must be greater than 0")] if value is not None and value <= 0 else []


def amount(field: str, value: int | str | None) -> list[FieldCause]:
    """A count or a percentage (IntOrString), not negative, and not above 100%."""
    if value is None:
        return []
    if not isinstance(value, str):
        return not_negative(field, value)
    if not PERCENT.fullmatch(value):
        return [invalid(field, value, PERCENT_TEXT)]
    return [] if int(value[:-1]) <= 100 else [invalid(field, value, "must not be greater than 100%")]


def quantity_at_least_0(field: str, value: str | int | float) -> list[FieldCause]:
    return [invalid(field, str(value), NOT_NEGATIVE)] if quantity.exact(value) < 0 else []


def ip(field: str, address: str) -> list[FieldCause]:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return [invalid(field, address, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")]
    return []


def cidr(field: str, network: str) -> list[FieldCause]:
    try:
        if "/" not in network:
            raise ValueError
        ipaddress.ip_network(network, strict=False)
    except ValueError:
        return [invalid(field, network, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)")]
    return []


def label_selector(field: str, selector: Document | None) -> list[FieldCause]:
    """A LabelSelector's syntax; an empty or missing one is fine here."""
    found = labels(f"{field}.matchLabels", (selector or {}).get("matchLabels"))
    for i, expression in enumerate((selector or {}).get("matchExpressions") or ()):
        place, operator = f"{field}.matchExpressions[{i}]", expression.get("operator", "")
        if operator in ("In", "NotIn") and not expression.get("values"):
            found.append(required(f"{place}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
        elif operator in ("Exists", "DoesNotExist") and expression.get("values"):
            found.append(forbidden(f"{place}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"))
        elif operator not in ("In", "NotIn", "Exists", "DoesNotExist"):
            found.append(invalid(f"{place}.operator", operator, "not a valid selector operator"))
        if not selectors.valid_key(expression.get("key", "")):
            found.append(invalid(f"{place}.key", expression.get("key", ""), QUALIFIED_TEXT))
    return found


def qualified_domain(field: str, name: str) -> list[FieldCause]:
    """A domain and a path: `example.com/thing`."""
    domain, _, path = name.partition("/")
    if not domain or not path:
        return [invalid(field, name, 'must be a domain-prefixed path (such as "acme.io/foo")')]
    return subdomain_name(field, domain)
