"""What a webhook's `clientConfig` must be, wherever one is configured: a URL or a Service, and a CA that can be read.

Texts are those of Kubernetes' own validation of webhooks. A certificate is not looked into here, which takes a library: whoever asks the
webhook says what is wrong with it.
"""

from __future__ import annotations

import base64
from urllib.parse import urlsplit

from common.errors import FieldCause
from master.api.contract import Document
from master.api.kinds import rules

FORM = "; desired format: https://host[/path]"
PORT = 443
PEM = b"-----BEGIN CERTIFICATE-----"


def default(config: Document | None) -> None:
    """In place."""
    service = (config or {}).get("service")
    if service is not None:
        service.setdefault("port", PORT)


def validate(config: Document, path: str) -> list[FieldCause]:
    url, service = config.get("url"), config.get("service")
    if (url is None) == (service is None):
        return [rules.required(path, "exactly one of url or service is required")]
    found = _url(url, f"{path}.url") if url is not None else _service(service or {}, f"{path}.service")
    if (bundle := config.get("caBundle")) and not _is_pem(bundle):
        why = "unable to load root certificates: unable to parse bytes as PEM block"
        found.append(rules.invalid(f"{path}.caBundle", "<omitted>", why))
    return found


def _is_pem(bundle: str) -> bool:
    try:
        return PEM in base64.b64decode(bundle, validate=True)
    except ValueError:
        return False


def _url(text: str, path: str) -> list[FieldCause]:
    try:
        url = urlsplit(text)
        url.port  # noqa: B018  (raises)
    except ValueError as error:
        return [rules.required(path, f"url must be a valid URL: {error}{FORM}")]
    found = []
    if url.scheme != "https":
        found.append(rules.invalid(path, url.scheme, f"'https' is the only allowed URL scheme{FORM}"))
    if not url.hostname:
        found.append(rules.invalid(path, url.netloc, f"host must be specified{FORM}"))
    if url.username is not None:
        found.append(rules.invalid(path, "<omitted>", "user information is not permitted in the URL"))
    if url.fragment:
        found.append(rules.invalid(path, url.fragment, "fragments are not permitted in the URL"))
    if url.query:
        found.append(rules.invalid(path, url.query, "query parameters are not permitted in the URL"))
    return found


def _service(service: Document, path: str) -> list[FieldCause]:
    found = [rules.required(f"{path}.{part}", f"service {part} is required") for part in ("name", "namespace") if not service.get(part)]
    port = service.get("port", PORT)
    if not 1 <= port <= 65535:
        found.append(rules.invalid(f"{path}.port", port, "port is not valid: must be between 1 and 65535, inclusive"))
    where = service.get("path")
    if where and not where.startswith("/"):
        found.append(rules.invalid(f"{path}.path", where, "must start with a '/'"))
    elif where and where != "/":
        for index, step in enumerate(where[1:].removesuffix("/").split("/")):
            if not step:
                found.append(rules.invalid(f"{path}.path", where, f"segment[{index}] may not be empty"))
    return found
