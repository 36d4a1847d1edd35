"""Credential providers, as a kubelet has them: helpers that are asked for an image's credentials when it is pulled. Pure.

    CredentialProviderConfig (kubelet.config.k8s.io/v1)                  a file of the operator's: which helper for which images
    CredentialProviderRequest, CredentialProviderResponse
        (credentialprovider.kubelet.k8s.io/v1)                           what a helper reads and writes, once, as JSON

Owns these forms and their checks, and how long an answer holds and for what. Running helpers is `provider_exec.py`'s. No error quotes an
answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from agent.images import keyring
from agent.images.keyring import Keyring
from agent.images.reference import Reference
from common.errors import Invalid

CONFIG_VERSIONS = ("kubelet.config.k8s.io/v1", "kubelet.config.k8s.io/v1beta1", "kubelet.config.k8s.io/v1alpha1")
PLUGIN = "credentialprovider.kubelet.k8s.io"
VERSIONS = (f"{PLUGIN}/v1", f"{PLUGIN}/v1beta1", f"{PLUGIN}/v1alpha1")
CACHED_FOR = ("Image", "Registry", "Global")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:ms|us|µs|ns|h|m|s)")


class Variable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    value: str


class _Provider(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    name: str
    match_images: tuple[str, ...]
    default_cache_duration: str
    api_version: str
    args: tuple[str, ...] = ()
    env: tuple[Variable, ...] = ()


class _Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    api_version: str
    kind: str
    providers: tuple[_Provider, ...]


class Provider(msgspec.Struct, frozen=True):
    """name: of its program. version: which it speaks. cache_s: how long an answer holds that does not say so."""

    name: str
    match_images: tuple[str, ...]
    cache_s: float
    version: str
    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()

    def matches(self, image: Reference) -> bool:
        return any(keyring.matches(keyring.key(glob), image.repository) for glob in self.match_images)


class Answer(msgspec.Struct, frozen=True):
    """key: what it holds for. cache_s: for how long."""

    keyring: Keyring
    key: str
    cache_s: float


def duration_s(text: str) -> float:
    """Of a Go duration as `1h30m`. Raises ValueError."""
    if text == "0":
        return 0.0
    pieces = _DURATION.findall(text)
    if not text or "".join(pieces) != text:
        raise ValueError(f"{text!r} is not a duration as 12h or 1h30m")
    return sum(float(piece.rstrip("hmsuµn")) * _UNITS[piece.lstrip("0123456789.")] for piece in pieces)


def configured(document: object) -> tuple[Provider, ...]:
    """From the file as YAML has it. Raises Invalid that names the field."""
    try:
        config = msgspec.convert(document, _Config)
    except msgspec.ValidationError as error:
        raise Invalid(f"CredentialProviderConfig: {error}") from None
    if config.kind != "CredentialProviderConfig" or config.api_version not in CONFIG_VERSIONS:
        raise Invalid(f"CredentialProviderConfig: {config.api_version} {config.kind} is not known; known is {CONFIG_VERSIONS[0]}")
    if not config.providers:
        raise Invalid("CredentialProviderConfig: providers: at least one is needed")
    found = tuple(_checked(each, f"CredentialProviderConfig: providers[{number}]") for number, each in enumerate(config.providers))
    if len({each.name for each in found}) < len(found):
        raise Invalid("CredentialProviderConfig: providers: each needs a name of its own")
    return found


def _checked(provider: _Provider, where: str) -> Provider:
    name = provider.name
    if not name or name in (".", "..") or "/" in name or any(char.isspace() for char in name):
        raise Invalid(f"{where}.name: {name!r} is not the name of a program in the folder of providers")
    if provider.api_version not in VERSIONS:
        raise Invalid(f"{where}.apiVersion: {provider.api_version!r} is not known; known are {', '.join(VERSIONS)}")
    wrong = [glob for glob in provider.match_images if not keyring.key(glob)]
    if not provider.match_images or wrong:
        raise Invalid(f"{where}.matchImages: {f'{wrong[0]!r} is not a host with a path' if wrong else 'at least one is needed'}")
    try:
        cache_s = duration_s(provider.default_cache_duration)
    except ValueError as error:
        raise Invalid(f"{where}.defaultCacheDuration: {error}") from None
    env = tuple((variable.name, variable.value) for variable in provider.env)
    return Provider(name, provider.match_images, cache_s, provider.api_version, provider.args, env)


def request(provider: Provider, image: Reference) -> bytes:
    """With the image's name alone, without tag and digest, as a kubelet asks."""
    return msgspec.json.encode({"kind": "CredentialProviderRequest", "apiVersion": provider.version, "image": image.repository})


def answer(provider: Provider, image: Reference, output: bytes) -> Answer:
    """Raises ValueError with words that quote nothing of it."""
    try:
        document = msgspec.json.decode(output, type=dict)
    except (ValueError, RecursionError):
        raise ValueError("its answer is no JSON object") from None
    if (document.get("kind"), document.get("apiVersion")) != ("CredentialProviderResponse", provider.version):
        raise ValueError(f"its answer is no CredentialProviderResponse of {provider.version}")
    kind = document.get("cacheKeyType")
    if kind not in CACHED_FOR:
        raise ValueError(f"the cacheKeyType of its answer is none of {', '.join(CACHED_FOR)}")
    try:
        cache_s = duration_s(str(document["cacheDuration"])) if document.get("cacheDuration") is not None else provider.cache_s
    except ValueError:
        raise ValueError("the cacheDuration of its answer is no duration") from None
    auth = document.get("auth")
    return Answer(Keyring(tuple(keyring.from_config(auth if isinstance(auth, Mapping) else {}))), _key(kind, image), cache_s)


def _key(kind: str, image: Reference) -> str:
    return {"Image": image.repository, "Registry": image.host, "Global": ""}[kind]


def keys_of(image: Reference) -> tuple[str, ...]:
    """Under which an answer for this image may be kept, the nearest first."""
    return tuple(_key(kind, image) for kind in CACHED_FOR)
