"""Registries for tests, each in a network namespace, on loopback: Debian's docker-registry as it is, with passwords, or with tokens from a
server of our own as Docker Hub has it; and one of our own that stalls in the middle of a layer.

A registry's images are put where it keeps them, in its own layout, so that nothing needs to be pushed.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import io
import ipaddress
import json
import shutil
import socket
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from agent.streams import ports
from lab import images

USER, PASSWORD = "alice", "s3cret"
HTPASSWD = f"{USER}:$2b$04$hl1lB9ta/vHLWG4tOJKFcuDXAMzTbnnQmx4xoCTLVd9jyXwtW4jKm\n"
"""The password above, by bcrypt."""
CONFIG = """\
version: 0.1
storage:
  filesystem:
    rootdirectory: {folder}/data
  delete:
    enabled: true
http:
  addr: 127.0.0.1:{port}
{more}"""
BY_PASSWORD = "auth:\n  htpasswd:\n    realm: test\n    path: {folder}/htpasswd\n"
BY_TOKEN = (
    "auth:\n  token:\n    realm: http://127.0.0.1:{token_port}/token\n    service: registry\n    issuer: tokens\n"
    "    rootcertbundle: {folder}/tokens.pem\n"
)
START_S = 20.0


def missing() -> str:
    """Why there is no registry here, or ""."""
    return "" if shutil.which("docker-registry") else "not installed: docker-registry"


class Content:
    """One image's blobs by digest: busybox, or one that is no use but to be pulled. size: of a file in its layer that cannot be
    compressed."""

    def __init__(self, mark: str = "", *, size: int = 1000, runs: bool = False) -> None:
        noise = b"".join(hashlib.sha256(f"{mark}{number}".encode()).digest() for number in range(size // 32 + 1))
        files: dict = dict(images.catalogue()[1].files) if runs else {"etc/": (0o755, b"")}
        made = images.Image(names=("x/x:1",), files={**files, "etc/mark": (0o644, mark.encode() + noise[:size])}, command=("/x",))
        archive = tarfile.open(fileobj=io.BytesIO(images.archive([made])))
        self.blobs: dict[str, bytes] = {}
        for member in archive.getmembers():
            file = archive.extractfile(member)
            if member.name.startswith("blobs/sha256/") and file is not None:
                self.blobs[f"sha256:{member.name.rpartition('/')[2]}"] = file.read()
        index = archive.extractfile("index.json")
        assert index is not None
        self.manifest = str(json.load(index)["manifests"][0]["digest"])
        described = json.loads(self.blobs[self.manifest])
        self.config, self.layer = described["config"]["digest"], described["layers"][0]["digest"]
        self.media_type = described["mediaType"]


def put(data: Path, name: str, content: Content) -> str:
    """An image into a registry's folder, under `REPOSITORY:TAG`; its manifest's digest."""
    repository, _, tag = name.partition(":")
    root = data / "docker/registry/v2"
    below = root / "repositories" / repository

    def link(path: str, digest: str) -> None:
        target = below / path / "link"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(digest)

    for digest, blob in content.blobs.items():
        file = root / "blobs/sha256" / digest[7:9] / digest[7:] / "data"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(blob)
        if digest != content.manifest:
            link(f"_layers/sha256/{digest[7:]}", digest)
    link(f"_manifests/revisions/sha256/{content.manifest[7:]}", content.manifest)
    link(f"_manifests/tags/{tag}/current", content.manifest)
    link(f"_manifests/tags/{tag}/index/sha256/{content.manifest[7:]}", content.manifest)
    return content.manifest


class Registry:
    """address: as it stands in an image's name."""

    def __init__(self, folder: Path, port: int, netns: str) -> None:
        self.folder = folder
        self.address = f"127.0.0.1:{port}"
        self.data = folder / "data"
        self._netns = netns
        self._process: subprocess.Popen | None = None

    def put(self, name: str, content: Content) -> str:
        return put(self.data, name, content)

    def start(self) -> None:
        log = (self.folder / "registry.log").open("ab")
        enter = ["nsenter", f"--net=/run/netns/{self._netns}"] if self._netns else []
        argv = [*enter, "docker-registry", "serve", str(self.folder / "config.yml")]
        self._process = subprocess.Popen(argv, stdout=log, stderr=log)
        waiting, waited = threading.Event(), 0.0
        while not self._answers():
            assert self._process.poll() is None and waited < START_S, self.log[-2000:]
            waiting.wait(0.05)
            waited += 0.05

    def _answers(self) -> bool:
        host, _, port = self.address.rpartition(":")
        with _socket(self._netns) as probe:
            return probe.connect_ex((host, int(port))) == 0

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=10)
            self._process = None

    @property
    def log(self) -> str:
        return (self.folder / "registry.log").read_text()


@contextmanager
def registry(folder: Path, port: int, *, netns: str = "", auth: str = "", token_port: int = 0, more: str = "") -> Iterator[Registry]:
    """auth: "", "password" or "token". netns: the name of a network namespace."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "htpasswd").write_text(HTPASSWD)
    chosen = {"": "", "password": BY_PASSWORD, "token": BY_TOKEN}[auth].format(folder=folder, token_port=token_port)
    (folder / "config.yml").write_text(CONFIG.format(folder=folder, port=port, more=more + chosen))
    made = Registry(folder, port, netns)
    try:
        made.start()
        yield made
    finally:
        made.stop()


def certificate(folder: Path) -> None:
    """An authority's ca.pem and, made by it, server.pem with server.key for 127.0.0.1."""
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in ("authority", "127.0.0.1")]
    local = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    for number, (file, extension) in enumerate([("ca.pem", x509.BasicConstraints(ca=True, path_length=None)), ("server.pem", local)]):
        made = x509.CertificateBuilder().subject_name(names[number]).issuer_name(names[0]).public_key(keys[number].public_key())
        made = made.serial_number(number + 1).not_valid_before(now - day).not_valid_after(now + day)
        signed = made.add_extension(extension, critical=number == 0).sign(keys[0], hashes.SHA256())
        (folder / file).write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    private = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "server.key").write_bytes(keys[1].private_bytes(*private))


# Servers of our own.


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler], port: int, *, netns: str = "") -> Iterator[ThreadingHTTPServer]:
    """An HTTP server on loopback in that network namespace."""
    server = ThreadingHTTPServer(("127.0.0.1", port), handler, bind_and_activate=False)
    server.daemon_threads = True
    server.socket.close()
    server.socket = _socket(netns)
    server.server_bind()
    server.server_activate()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=10)


def _socket(netns: str) -> socket.socket:
    made: list[socket.socket] = []

    def enter() -> None:
        if netns:
            ports._enter(f"/run/netns/{netns}")
        made.append(socket.socket())

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join(timeout=10)
    return made[0]


class _Quiet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        pass

    def answer(self, code: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class Tokens:
    """Who may have which token, and who asked: as Docker Hub's own server answers, by GET and by POST."""

    def __init__(self, folder: Path) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tokens")])
        now = datetime.datetime.now(datetime.UTC)
        made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(self._key.public_key()).serial_number(1)
        made = made.not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
        self._certificate = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(self._key, hashes.SHA256())
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "tokens.pem").write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))
        self.asked: list[str] = []

    def token(self, scope: str) -> str:
        kind, _, rest = scope.partition(":")
        name, _, actions = rest.rpartition(":")
        der = base64.b64encode(self._certificate.public_bytes(serialization.Encoding.DER)).decode()
        now = int(datetime.datetime.now(datetime.UTC).timestamp())
        claims = {
            "iss": "tokens", "sub": USER, "aud": "registry", "exp": now + 300, "nbf": now - 30, "iat": now, "jti": str(now),
            "access": [{"type": kind, "name": name, "actions": actions.split(",")}] if name else [],
        }  # fmt: skip
        return jwt.encode(claims, self._key, algorithm="ES256", headers={"x5c": [der]})

    def handler(self) -> type[BaseHTTPRequestHandler]:
        tokens = self

        class Handler(_Quiet):
            def do_GET(self) -> None:
                given = self.headers.get("Authorization", "").removeprefix("Basic ")
                user, _, password = base64.b64decode(given).decode().partition(":")
                self._give(user, password, parse_qs(urlsplit(self.path).query))

            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode())
                self._give(form.get("username", [""])[0], form.get("password", [""])[0], form)

            def _give(self, user: str, password: str, asked: dict[str, list[str]]) -> None:
                tokens.asked.append(user)
                if (user, password) != (USER, PASSWORD):
                    return self.answer(401, b'{"details": "incorrect username or password"}', Content_Type="application/json")
                token = tokens.token(asked.get("scope", [""])[0])
                body = json.dumps({"token": token, "access_token": token, "expires_in": 300}).encode()
                return self.answer(200, body, Content_Type="application/json")

        return Handler


class Stalling:
    """A registry whose images' layers come half, and then nothing more of them until `go_on`; those of repositories `slow/…` come in pieces,
    one in PIECE_S. contents: by repository."""

    PIECE_S = 0.8
    PIECE = 1 << 20

    def __init__(self, contents: dict[str, Content]) -> None:
        self.contents = contents
        self.go_on = threading.Event()
        self.stalled = threading.Event()

    def handler(self) -> type[BaseHTTPRequestHandler]:
        stalling = self

        class Handler(_Quiet):
            def do_GET(self) -> None:
                _, _, path = self.path.partition("/v2/")
                what, content = path.rpartition("/")[2], stalling.contents.get("/".join(path.split("/")[:-2]))
                if content is None:
                    return self.answer(404 if path else 200, b"{}")
                if "/manifests/" in self.path:
                    return self.answer(
                        200, content.blobs[content.manifest], Content_Type=content.media_type, Docker_Content_Digest=content.manifest
                    )
                blob = content.blobs.get(what, b"{}")
                start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
                if what == content.layer and path.startswith("slow/"):
                    return self._pieces(blob)
                if what == content.layer and not stalling.go_on.is_set():
                    return self._half(blob, start)
                if start:
                    return self.answer(206, blob[start:], Content_Range=f"bytes {start}-{len(blob) - 1}/{len(blob)}")
                return self.answer(200, blob, Content_Type="application/octet-stream")

            do_HEAD = do_GET

            def _pieces(self, blob: bytes) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(blob)))
                self.end_headers()
                pace = threading.Event()
                for start in range(0, len(blob), stalling.PIECE):
                    self.wfile.write(blob[start : start + stalling.PIECE])
                    pace.wait(stalling.PIECE_S)

            def _half(self, blob: bytes, start: int) -> None:
                self.send_response(206 if start else 200)
                self.send_header("Content-Length", str(len(blob) - start))
                if start:
                    self.send_header("Content-Range", f"bytes {start}-{len(blob) - 1}/{len(blob)}")
                self.end_headers()
                self.wfile.write(blob[start : len(blob) // 2])
                self.wfile.flush()
                stalling.stalled.set()
                stalling.go_on.wait()
                self.close_connection = True

        return Handler
