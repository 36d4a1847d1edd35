"""The few container images that the examples and tests use, made on the spot from Debian's static busybox and catatonit.

No registry is needed. Names and tags are those a user would type, and the images behave alike where it matters here: `busybox` has its
shell and tools, `httpd` and `nginx` serve a page on port 80, `pause` waits and reaps. They are one archive in OCI's layout and
Docker's, the same bytes every time from the same two programs, kept in the lab's cache and imported into each host's containerd or
Docker.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import platform
import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

import msgspec

from common import architecture
from lab.contract import LabFault

SANDBOX_IMAGE = "registry.k8s.io/pause:3.9"
SEARCH_PATH = "/usr/bin:/bin:/usr/sbin:/sbin"
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_OLD_TIME = "1970-01-01T00:00:00Z"


class Image(msgspec.Struct, frozen=True):
    """files: path to (mode, content); a content of type str is a symbolic link's target; a path that ends in / is a folder."""

    names: tuple[str, ...]
    files: dict[str, tuple[int, bytes | str]]
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: tuple[str, ...] = (_PATH,)
    ports: tuple[str, ...] = ()


def _program(name: str, package: str) -> bytes:
    found = shutil.which(name, path=SEARCH_PATH)
    if not found:
        raise LabFault(f"{name} is missing: install Debian's package {package}, or run script/up, which does")
    return Path(found).read_bytes()


def _busybox_files() -> dict[str, tuple[int, bytes | str]]:
    binary = _program("busybox", "busybox-static")
    busybox = shutil.which("busybox", path=SEARCH_PATH) or "busybox"
    applets = subprocess.run([busybox, "--list-full"], capture_output=True, text=True, check=True, timeout=10).stdout.split()
    files: dict[str, tuple[int, bytes | str]] = {
        "bin/": (0o755, b""), "dev/": (0o755, b""), "etc/": (0o755, b""), "proc/": (0o555, b""), "root/": (0o700, b""),
        "sbin/": (0o755, b""), "sys/": (0o555, b""), "tmp/": (0o1777, b""), "usr/": (0o755, b""), "usr/bin/": (0o755, b""),
        "usr/sbin/": (0o755, b""), "var/": (0o755, b""), "var/tmp/": (0o1777, b""),
        "bin/busybox": (0o755, binary),
        "etc/passwd": (0o644, b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"),
        "etc/group": (0o644, b"root:x:0:\nnogroup:x:65534:\n"),
    }  # fmt: skip
    for applet in applets:
        path = applet.lstrip("/")
        if path not in files and os.path.dirname(path) in ("bin", "sbin", "usr/bin", "usr/sbin"):
            files[path] = (0o777, "/bin/busybox")
    files.setdefault("bin/sh", (0o777, "/bin/busybox"))
    return files


def _server(busybox: Mapping[str, tuple[int, bytes | str]], *, names: tuple[str, ...], root: str, page: str, command: str) -> Image:
    files = dict(busybox)
    for depth in range(1, root.count("/") + 1):
        files["/".join(root.split("/")[:depth]) + "/"] = (0o755, b"")
    files["usr/local/"] = files["usr/local/bin/"] = (0o755, b"")
    files[f"{root}/"] = (0o755, b"")
    files[f"{root}/index.html"] = (0o644, f"<html><body><h1>{page}</h1></body></html>\n".encode())
    script = f"#!/bin/sh\nexec httpd -f -p 80 -h /{root}\n"
    files[f"usr/local/bin/{command}"] = (0o755, script.encode())
    return Image(names=names, files=files, command=(command,), ports=("80/tcp",))


def catalogue() -> list[Image]:
    """All images. Raises LabFault when a program that they are made from is missing."""
    busybox = _busybox_files()
    return [
        Image(
            names=(SANDBOX_IMAGE,),
            files={"pause": (0o755, _program("catatonit", "catatonit"))},
            entrypoint=("/pause", "-P"),
        ),
        Image(
            names=tuple(f"docker.io/library/busybox:{tag}" for tag in ("1.36", "1.37", "latest")),
            files=busybox,
            command=("sh",),
        ),
        _server(
            busybox,
            names=tuple(f"docker.io/library/httpd:{tag}" for tag in ("2.4", "2.4-alpine", "latest")),
            root="usr/local/apache2/htdocs", page="It works!", command="httpd-foreground",
        ),
        _server(
            busybox,
            names=tuple(f"docker.io/library/nginx:{tag}" for tag in ("1.27", "1.28", "latest")),
            root="usr/share/nginx/html", page="Welcome to nginx!", command="nginx-foreground",
        ),
    ]  # fmt: skip


def _tar(files: Mapping[str, tuple[int, bytes | str]]) -> bytes:
    """A tar with nothing in it that differs from one run to the next."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in sorted(files):
            mode, content = files[path]
            entry = tarfile.TarInfo(path.rstrip("/"))
            entry.mode = mode
            if path.endswith("/"):
                entry.type = tarfile.DIRTYPE
                archive.addfile(entry)
            elif isinstance(content, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, content
                archive.addfile(entry)
            else:
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _descriptor(blobs: dict[str, bytes], media_type: str, content: bytes) -> dict[str, object]:
    digest = hashlib.sha256(content).hexdigest()
    blobs[digest] = content
    return {"mediaType": f"application/vnd.oci.image.{media_type}", "digest": f"sha256:{digest}", "size": len(content)}


def _json(document: object) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def archive(images: list[Image], machine: str = platform.machine()) -> bytes:
    """One OCI archive (a tar) with all these images, each under all its names; with the manifest.json that `docker load` reads.
    machine: whose programs are in them, as `uname -m` calls it."""
    blobs: dict[str, bytes] = {}
    entries = []
    docker = []
    for image in images:
        layer = _tar(image.files)
        packed = gzip.compress(layer, compresslevel=6, mtime=0)
        config = {
            "architecture": architecture.name(machine),
            "os": "linux",
            "created": _OLD_TIME,
            "config": {
                "Env": list(image.environment),
                **({"Entrypoint": list(image.entrypoint)} if image.entrypoint else {}),
                **({"Cmd": list(image.command)} if image.command else {}),
                **({"ExposedPorts": {port: {} for port in image.ports}} if image.ports else {}),
            },
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
            "history": [{"created": _OLD_TIME, "created_by": "steersman lab"}],
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": _descriptor(blobs, "config.v1+json", _json(config)),
            "layers": [_descriptor(blobs, "layer.v1.tar+gzip", packed)],
        }
        descriptor = _descriptor(blobs, "manifest.v1+json", _json(manifest))
        paths = [f"blobs/sha256/{str(part['digest']).removeprefix('sha256:')}" for part in (manifest["config"], *manifest["layers"])]
        docker.append({"Config": paths[0], "RepoTags": list(image.names), "Layers": paths[1:]})
        for name in image.names:
            tag = name.rsplit(":", 1)[1]
            annotations = {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": tag}
            entries.append({**descriptor, "annotations": annotations, "platform": {"architecture": config["architecture"], "os": "linux"}})
    files: dict[str, tuple[int, bytes | str]] = {
        "index.json": (0o644, _json({"schemaVersion": 2, "manifests": entries})),
        "oci-layout": (0o644, _json({"imageLayoutVersion": "1.0.0"})),
        "manifest.json": (0o644, _json(docker)),
        "blobs/": (0o755, b""),
        "blobs/sha256/": (0o755, b""),
        **{f"blobs/sha256/{digest}": (0o644, content) for digest, content in blobs.items()},
    }
    return _tar(files)


def names() -> list[str]:
    """Every name that a pod of the lab can use."""
    return sorted(name for image in catalogue() for name in image.names)


def _recipe() -> str:
    """Changes whenever the archive would: this file and the programs."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    digest.update(_program("busybox", "busybox-static"))
    digest.update(_program("catatonit", "catatonit"))
    return digest.hexdigest()[:16]


def cached(cache: Path) -> Path:
    """The archive's path, made first when it is not there; its name changes with its content."""
    path = cache / f"images-{_recipe()}.tar"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        for old in cache.glob("images-*.tar"):
            old.unlink(missing_ok=True)
        fresh = path.with_suffix(".new")
        fresh.write_bytes(archive(catalogue()))
        os.replace(fresh, path)
    return path
