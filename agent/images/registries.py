"""`registries.yaml`: where a host gets images from instead, or besides, and what it is let in with. In the form that K3s uses. Pure.

    mirrors:
      docker.io:                             # a registry's host, or "*" for all that are not named
        endpoint:                            # asked in this order, and the registry itself at last
          - https://mirror.example.com
          - http://10.0.0.5:5000/v2/hub
    configs:
      mirror.example.com:                    # the host of an endpoint or of a registry
        auth: {username: me, password: …}    # or auth: base64 of both; or identity_token
        tls: {ca_file: /etc/ssl/own.pem, cert_file: …, key_file: …, insecure_skip_verify: false}

Owns the form, its checks, and what follows for an image: which places are asked in which order, with which credentials. How a runtime is
told is the runtimes' business. An error names the field and quotes no secret.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from agent.images.keyring import Credential, from_auth
from agent.images.reference import DEFAULT_HOST, Reference
from common.errors import Invalid

FILE = "registries.yaml"
ANY = "*"
HUB_SERVER = "registry-1.docker.io"
"""Where Docker Hub really is."""
API = "/v2"
_HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?|\[[0-9a-fA-F:]+\](:[0-9]{1,5})?")


class Endpoint(msgspec.Struct, frozen=True):
    """path: of its API, `/v2` or what the file says."""

    scheme: str
    host: str
    path: str = API

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}{'' if self.path == API else self.path}"


class Tls(msgspec.Struct, frozen=True):
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    insecure_skip_verify: bool = False


class Registries(msgspec.Struct, frozen=True):
    """By host. mirrors: with `*`; a host that is named and has none keeps to itself."""

    mirrors: dict[str, tuple[Endpoint, ...]] = {}
    credentials: dict[str, Credential] = {}
    tls: dict[str, Tls] = {}

    def endpoints(self, image: Reference) -> tuple[Endpoint, ...]:
        """What is asked before the image's own registry."""
        return self.mirrors.get(image.host, self.mirrors.get(ANY, ()))

    def credentials_for(self, image: Reference) -> tuple[Credential, ...]:
        """In the order in which their owners are asked; each is for its own host alone."""
        hosts = [each.host for each in self.endpoints(image)] + [image.host]
        if image.host == DEFAULT_HOST:
            hosts.append(HUB_SERVER)
        return tuple(dict.fromkeys(_for_server(self.credentials[host], host) for host in hosts if host in self.credentials))


def _for_server(credential: Credential, host: str) -> Credential:
    return msgspec.structs.replace(credential, server=f"https://{HUB_SERVER if host == DEFAULT_HOST else host}")


def parse(document: object) -> Registries:
    """From the file as YAML has it. Raises Invalid that names the field."""
    if document is None:
        return Registries()
    top = _map(document, "", ("mirrors", "configs"))
    mirrors = {}
    for host, entry in _map(top.get("mirrors"), "mirrors").items():
        field = f"mirrors.{_host(host, 'mirrors', any_too=True)}"
        endpoints = _map(entry, field, ("endpoint",)).get("endpoint") or []
        if not isinstance(endpoints, list):
            raise _invalid(f"{field}.endpoint", "must be a list of URLs")
        mirrors[host] = tuple(_endpoint(each, f"{field}.endpoint[{number}]") for number, each in enumerate(endpoints))
    credentials, tls = {}, {}
    for host, entry in _map(top.get("configs"), "configs").items():
        field = f"configs.{_host(host, 'configs')}"
        config = _map(entry, field, ("auth", "tls"))
        if config.get("auth"):
            credentials[host] = _credential(config["auth"], f"{field}.auth")
        if config.get("tls"):
            tls[host] = _tls(config["tls"], f"{field}.tls")
    return Registries(mirrors, credentials, tls)


def _invalid(field: str, why: str) -> Invalid:
    return Invalid(f"{FILE}: {field}: {why}" if field else f"{FILE}: {why}")


def _map(value: object, field: str, known: tuple[str, ...] = ()) -> Mapping:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
        raise _invalid(field, "must be a map")
    unknown = [name for name in value if known and name not in known]
    if unknown:
        own = "containerd cannot rewrite names; give an endpoint with a path" if unknown == ["rewrite"] else f"known are {', '.join(known)}"
        raise _invalid(f"{field}.{unknown[0]}".lstrip("."), f"is not supported: {own}")
    return value


def _host(host: str, field: str, *, any_too: bool = False) -> str:
    if not (any_too and host == ANY) and not _HOST.fullmatch(host):
        raise _invalid(field, f"{host!r} is not a host, or a host and a port")
    return host


def _endpoint(text: object, field: str) -> Endpoint:
    try:
        url = urlsplit(str(text))
        good = url.scheme in ("http", "https") and not url.query and not url.fragment
    except ValueError:
        good = False
    if not good:
        raise _invalid(field, "must be a URL as https://HOST:PORT, with a path if the registry's API is not at /v2")
    if "@" in url.netloc:
        raise _invalid(field, "must carry no password: give it in configs.HOST.auth")
    return Endpoint(url.scheme, _host(url.netloc, field), url.path.rstrip("/") or API)


def _credential(value: object, field: str) -> Credential:
    auth = _map(value, field, ("username", "password", "auth", "identity_token"))
    wrong = [name for name, each in auth.items() if each is not None and not isinstance(each, str)]
    if wrong:
        raise _invalid(f"{field}.{wrong[0]}", "must be text (in quotes, if it looks like a number)")
    if auth.get("auth"):
        try:
            return Credential(*from_auth(auth["auth"]))
        except ValueError as error:
            raise _invalid(f"{field}.auth", str(error)) from None
    if not auth.get("identity_token") and not (auth.get("username") and auth.get("password")):
        raise _invalid(field, "needs username and password, or auth, or identity_token")
    return Credential(auth.get("username") or "", auth.get("password") or "", identity_token=auth.get("identity_token") or "")


def _tls(value: object, field: str) -> Tls:
    found = _map(value, field, Tls.__struct_fields__)
    for name in ("ca_file", "cert_file", "key_file"):
        if found.get(name) and not (isinstance(found[name], str) and found[name].startswith("/")):
            raise _invalid(f"{field}.{name}", "must be an absolute path")
    if not isinstance(found.get("insecure_skip_verify") or False, bool):
        raise _invalid(f"{field}.insecure_skip_verify", "must be true or false")
    if bool(found.get("cert_file")) != bool(found.get("key_file")):
        raise _invalid(field, "cert_file and key_file belong together")
    return Tls(**{name: each for name, each in found.items() if each is not None})
