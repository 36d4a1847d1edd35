"""`kctl bundle`: one file that tells others what is wrong with a cluster, without its secrets.

    versions.txt  machine.txt  errors.txt    objects/RESOURCE.yaml    why/KIND-NAMESPACE-NAME.yaml    logs/HOST/SERVICE.log

What cannot be had (the master is down, a kind is refused) is said in errors.txt, and the rest is bundled all the same. Daemon logs are the
lab's, where the configuration in use lies in a lab, and the journal's elsewhere. Everything passes through `redaction` before it is
written; ConfigMaps, keys and configuration files are not collected at all. Values of plain environment variables are kept: what must
stay secret belongs into a Secret.
"""

from __future__ import annotations

import io
import os
import platform
import shutil
import subprocess
import sys
import tarfile
from importlib import metadata
from pathlib import Path
from typing import Any

import click
import yaml

from common import version as build
from common.clock import SystemClock
from common.errors import SteersmanError
from ctl import config, redaction
from ctl.client import Client, run
from ctl.lab_logs import host_of, service_of
from ctl.objects import Objects

RESOURCES = (
    "nodes", "namespaces", "pods", "events", "deployments", "replicasets", "statefulsets", "daemonsets", "jobs", "cronjobs", "services",
    "endpointslices", "persistentvolumes", "persistentvolumeclaims", "poddisruptionbudgets", "resourcequotas", "leases",
    "customresourcedefinitions",
)  # fmt: skip
EXPLAINED = {"pods": "pod", "nodes": "node", "deployments": "deployment"}
EXPLAINED_OBJECTS = 30
LOG_BYTES = 4 * 1024 * 1024
JOURNAL_LINES = 20000
COMMAND_S = 20.0
LIBRARIES = ("click", "msgspec", "pyzmq", "aiohttp", "apsw", "grpcio", "aiodocker")


class Contents:
    """The archive's files by name, not yet redacted, and what could not be had."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.documents: dict[str, Any] = {}
        self.errors: list[str] = []
        self.known: list[str] = []

    def files(self) -> dict[str, bytes]:
        """All of it, redacted."""
        found = {**self.texts, "errors.txt": "\n".join([*self.errors, ""])}
        for name, value in self.documents.items():
            found[name] = yaml.safe_dump(redaction.tree(value, self.known), sort_keys=True, allow_unicode=True, width=10**6)
        return {name: redaction.text(body, self.known).encode() for name, body in sorted(found.items())}


async def collect(client: Client, into: Contents) -> None:
    """Objects and their recent history. Raises when the master does not answer; what it refuses is noted."""
    master = await client.call("version")
    into.texts["versions.txt"] += f"kmaster {master['version']} (Kubernetes {master['kubernetes']}), cluster {master['cluster']}\n"
    secrets = await Objects(client).list("secrets")
    into.known = redaction.values(secrets["items"])
    into.documents["objects/secrets.yaml"] = {**secrets, "items": [redaction.secret(each) for each in secrets["items"]]}
    recent: list[tuple[int, str, dict[str, Any]]] = []
    for resource in RESOURCES:
        try:
            listed = await Objects(client).list(resource)
        except SteersmanError as error:
            into.errors.append(f"{resource}: {error.message}")
            continue
        into.documents[f"objects/{resource}.yaml"] = listed
        if resource in EXPLAINED:
            recent += [(int(each["metadata"]["resourceVersion"]), EXPLAINED[resource], each["metadata"]) for each in listed["items"]]
    for _, kind, meta in sorted(recent, key=lambda each: each[0], reverse=True)[:EXPLAINED_OBJECTS]:
        await _explain(client, kind, meta, into)


async def _explain(client: Client, kind: str, meta: dict[str, Any], into: Contents) -> None:
    namespace = meta.get("namespace", "")
    name = "-".join(filter(None, (kind, namespace, meta["name"])))
    try:
        into.documents[f"why/{name}.yaml"] = await client.call("why", resource=kind, name=meta["name"], namespace=namespace)
    except SteersmanError as error:
        into.errors.append(f"why {kind}/{meta['name']}: {error.message}")


def add_logs(folder: Path, into: Contents) -> None:
    """The ends of the daemons' logs: those of the lab in `folder`, or the journal's."""
    files = sorted(folder.glob("hosts/*/log/*.log"))
    for path in files:
        try:
            into.texts[f"logs/{host_of(path)}/{service_of(path)}.log"] = end_of(path)
        except OSError as error:
            into.errors.append(f"{path}: {error.strerror}")
    if not files:
        for unit in ("kmaster", "kagent"):
            body = _said_by("journalctl", "--no-pager", "-u", unit, "-n", str(JOURNAL_LINES))
            if body:
                into.texts[f"logs/{platform.node()}/{unit}.log"] = body


def end_of(path: Path) -> str:
    """The last LOG_BYTES, from the beginning of a line: half a secret would not be recognised."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - LOG_BYTES))
        if size > LOG_BYTES:
            file.readline()
        return file.read().decode(errors="replace")


def _said_by(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_S, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def machine() -> str:
    """What matters of this machine, as lines."""
    lines = [f"{' '.join(platform.uname())}", f"cpus {os.cpu_count()}", f"python {sys.version}"]
    disk = shutil.disk_usage("/")
    lines.append(f"disk / {disk.free >> 20} MiB free of {disk.total >> 20} MiB")
    for path in ("/etc/os-release", "/proc/loadavg", "/proc/meminfo", "/proc/uptime", "/proc/pressure/memory", "/proc/pressure/io"):
        try:
            lines.append(f"\n{path}\n{Path(path).read_text().rstrip()}")
        except OSError:
            continue
    return "\n".join([*lines, ""])


def versions() -> str:
    lines = [f"kctl {build.VERSION}"]
    for library in LIBRARIES:
        try:
            lines.append(f"{library} {metadata.version(library)}")
        except metadata.PackageNotFoundError:
            lines.append(f"{library} not installed")
    return "\n".join([*lines, ""])


def write(target: Path, files: dict[str, bytes], *, root: str, now: float) -> None:
    """For its owner alone from the first byte on, and never in the place of a file that is there."""
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        with tarfile.open(fileobj=file, mode="w:gz") as archive:
            for name, body in files.items():
                entry = tarfile.TarInfo(f"{root}/{name}")
                entry.size, entry.mode, entry.mtime = len(body), 0o600, int(now)
                archive.addfile(entry, io.BytesIO(body))


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.pass_context
def bundle(context: click.Context, file: Path | None) -> None:
    """Collect versions, logs, objects and their recent history in FILE (tar.gz), without secrets.

    Values of plain environment variables in pods are kept: look before you pass it on.
    """
    now = SystemClock().now()
    target = file or Path(f"steersman-bundle-{int(now)}.tar.gz")
    if target.exists():
        raise click.ClickException(f"{target} exists already: name another file")
    found = Contents()
    found.texts.update({"versions.txt": versions(), "machine.txt": machine()})
    try:
        run(context, lambda client: collect(client, found))
    except click.ClickException as error:
        found.errors.append(error.message)
        click.echo(f"Without all of the cluster's objects: {error.message}", err=True)
    try:
        add_logs(config.find(context.obj.get("config")).resolve().parent, found)
    except click.ClickException as error:
        found.errors.append(error.message)
    files = found.files()
    try:
        write(target, files, root=target.name.removesuffix(".tar.gz"), now=now)
    except OSError as error:
        raise click.ClickException(f"cannot write {target}: {error.strerror}") from None
    for name, body in files.items():
        click.echo(f"{len(body):>9}  {name}")
    click.echo(f"{target}: {len(files)} files, {target.stat().st_size} bytes")
