"""The name of an image, taken apart as every registry client does it: host, path, tag, digest. Pure.

    nginx                    docker.io / library/nginx : latest
    quay.io/a/b:1@sha256:…   quay.io   / a/b           : 1      @ sha256:…

Owns the grammar and the defaults of `github.com/distribution/reference`: a first part without a dot or a port, that is not `localhost`,
is no host but part of a path on Docker Hub, whose own images lie under `library/`; what has neither tag nor digest has the tag `latest`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

DEFAULT_HOST = "docker.io"
DEFAULT_TAG = "latest"
NAME_MOST = 255
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?")
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}")
_IDENTIFIER = re.compile(r"[a-f0-9]{64}")
_INVALID = "invalid reference format"


class Reference(msgspec.Struct, frozen=True):
    """tag "": it has a digest and no tag."""

    host: str
    path: str
    tag: str = ""
    digest: str = ""

    @property
    def repository(self) -> str:
        """Host and path: what credentials are looked for by."""
        return f"{self.host}/{self.path}"

    def __str__(self) -> str:
        return self.repository + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


def parse(text: str) -> Reference:
    """Raises ValueError with the words that Kubernetes shows."""
    rest, has_digest, digest = text.partition("@")
    tag = ""
    cut = rest.rfind(":")
    if cut > rest.rfind("/"):
        rest, tag = rest[:cut], rest[cut + 1 :]
        if not _TAG.fullmatch(tag):
            raise ValueError(_INVALID)
    if has_digest and not _DIGEST.fullmatch(digest):
        raise ValueError(_INVALID)
    if _IDENTIFIER.fullmatch(rest):
        raise ValueError(f"invalid repository name ({rest}), cannot specify 64-byte hexadecimal strings")
    host, path = _split(rest)
    if path != path.lower():
        raise ValueError(f"invalid reference format: repository name ({path}) must be lowercase")
    if not _HOST.fullmatch(host) or not _PATH.fullmatch(path):
        raise ValueError(_INVALID)
    if len(path) > NAME_MOST:
        raise ValueError(f"repository name must not be more than {NAME_MOST} characters")
    return Reference(host, path, tag or ("" if digest else DEFAULT_TAG), digest)


def readable(names: Iterable[str]) -> list[Reference]:
    """Those that are names: a runtime has its own words for "none"."""
    found = []
    for name in names:
        try:
            found.append(parse(name))
        except ValueError:
            continue
    return found


def _split(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    if not slash or not (set(first) & set(".:") or first == "localhost" or first != first.lower()):
        first, rest = DEFAULT_HOST, name
    if first == "index.docker.io":
        first = DEFAULT_HOST
    return first, f"library/{rest}" if first == DEFAULT_HOST and "/" not in rest else rest
