"""docs/compat.md: what each client did against which resource, found out by the tests while they run.

A test marked `compat("Helm")` counts for the clients whose names begin so. While it runs, what the masters log of each request
(`master/rest/accesses.py`) is noted: the client from its User-Agent, resource and verb from the path. Green means that a test that passed did it and was answered well; red, that the master
could not do it, whoever asked and whatever the object; then REASONS must say why. What was never asked is left blank, and what was
refused to the one who asked (not his right, not there, not valid) says nothing of the client.

`tests/e2e/test_compat.py` compares the page with what was found, when all these tests have run; `pytest tests/e2e --write-compat` writes it.
A client that is not on this machine is neither missed nor removed: its column stays as it is; and where a test of a client was skipped (real
containers need root), what the page says and was not seen stays as well.
For another client: mark its tests, and name it in CLIENTS.

Subtle: reads that depend on who is faster (the polls of `wait`, `delete`, `--wait`) do not count, or the page would differ from run to run.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path

import msgspec

from tests.e2e.clients.since import SINCE

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "compat.md"

CLIENTS = (
    (re.compile(r"kubectl[.\d]*/v(1\.\d+)\."), "kubectl {}"),
    (re.compile(r"Helm/v?(\d+\.\d+)"), "Helm {}"),
    (re.compile(r"OpenAPI-Generator/.*/python"), "Python kubernetes"),
    (re.compile(r"python-httpx"), "lightkube"),
    (re.compile(r"kopf"), "kopf"),
    (re.compile(r"kctl"), "kctl"),
)
"""How each shows itself in its User-Agent, and its column's name."""

REASONS: dict[tuple[str, str], str] = {
    ("custom resources", "patch (strategic)"):
        "there is none in Kubernetes either, whose answer is 415 as well: say `--type=merge`.",
}  # fmt: skip
"""(resource, verb) → why it is red. A reason that nothing needs fails the test."""

READS = ("get", "list", "watch")
LOOKING = ("kubectl get", "kubectl describe", "kubectl top", "kubectl events", "kubectl logs")
"""The commands of kubectl whose reads are what they are for."""
CUSTOM = "custom resources"
FAILURES = (405, 415, 500, 501, 503, 504)
CONNECTED = ("exec", "attach", "portforward", "proxy")

WELL = "🟢"
HEAD = "| resource | verbs | "
LEVEL = "KMASTER_LOG_LEVEL"
"""The variable that kmaster takes as --log-level."""

_LINE = re.compile(
    r"accesses request method=(?P<method>\S+) path=(?P<path>\S+) type=(?P<type>\S+) watch=(?P<watch>\S+) code=(?P<code>\d+) "
    r"agent='(?P<agent>[^']*)' command='(?P<command>[^']*)'"
)
_NATIVE = re.compile(
    r"native\.objects request verb=(?P<verb>\S+) resource=(?P<resource>\S+) named=(?P<named>\S+) media=(?P<media>\S+) "
    r"code=(?P<code>\d+) agent=(?P<agent>\S+)"
)
_VERSION = re.compile(r"\.v\d[a-z\d]*\.")
_PATCHES = {
    "application/strategic-merge-patch+json": "patch (strategic)", "application/merge-patch+json": "patch (merge)",
    "application/json-patch+json": "patch (JSON)", "application/apply-patch+yaml": "apply",
}  # fmt: skip


Found = dict[tuple[str, str], dict[str, bool]]
"""(resource, verb) → client → was it ever answered well."""


class Access(msgspec.Struct, frozen=True):
    client: str
    resource: str
    verb: str
    code: int
    named: bool
    """It was about one object."""

    @property
    def well(self) -> bool:
        return self.code < 400

    @property
    def failed(self) -> bool:
        return self.code in FAILURES or (self.code == 404 and not self.named)


def parse(line: str) -> Access | None:
    """What a line of kmaster's log says of a client; None when it says nothing, or nothing that counts."""
    if (native := _NATIVE.search(line)) is not None:
        return _native(native)
    found = _LINE.search(line)
    if found is None:
        return None
    client = next((name.format(*match.groups()) for form, name in CLIENTS if (match := form.match(found["agent"]))), "")
    what = _resource(found["path"])
    if not client or what is None:
        return None
    resource, named = what
    verb = _verb(found["method"], resource=resource, named=named, media=found["type"], watch=found["watch"] == "True")
    if verb in READS and _incidental(client, found["command"], resource):
        return None
    return Access(client, resource, verb, int(found["code"]), named)


def _custom(group: str) -> bool:
    return "." in group and not group.endswith(".k8s.io")


def _native(found: re.Match[str]) -> Access | None:
    resource, verb = _VERSION.sub(".", found["resource"]), found["verb"]
    if resource.partition("/")[2] == "log":
        verb = "get"
    elif verb == "patch":
        verb = _PATCHES.get(found["media"], "patch (merge)")
    plural, _, group = resource.partition("/")[0].partition(".")
    if verb in ("get", "watch") and plural == "customresourcedefinitions":
        return None  # who deletes one waits for its end, if that takes long
    if _custom(group):
        resource = CUSTOM
    return Access(found["agent"], resource, verb, int(found["code"]), found["named"] == "True")


def _resource(path: str) -> tuple[str, bool] | None:
    """As `deployments.apps/scale`, and whether an object is named."""
    words = path.strip("/").split("/")
    if words[0] == "openapi":
        return f"/openapi/{words[1]}", False
    depth = {"api": 2, "apis": 3}.get(words[0], 0)
    if len(words) <= depth:
        return "discovery", False
    if not depth:
        return (f"/{words[0]}", False) if words[0] in ("version", "healthz", "livez", "readyz", "metrics") else None
    group, rest = words[1] if depth == 3 else "", words[depth:]
    if len(rest) > 2 and rest[0] == "namespaces" and rest[2] not in ("status", "finalize"):
        rest = rest[2:]
    if _custom(group):
        return CUSTOM, len(rest) > 1
    name = rest[0] + (f".{group}" if group else "")
    return (f"{name}/{rest[2]}" if len(rest) > 2 else name), len(rest) > 1


def _verb(method: str, *, resource: str, named: bool, media: str, watch: bool) -> str:
    if resource.rpartition("/")[2] in CONNECTED:
        return "connect"
    if method == "GET":
        return "watch" if watch else "get" if named or resource.startswith("/") or resource == "discovery" else "list"
    if method == "DELETE":
        return "delete" if named else "deletecollection"
    return {"POST": "create", "PUT": "update"}.get(method) or _PATCHES.get(media, "patch (unknown)")


def _incidental(client: str, command: str, resource: str) -> bool:
    if resource.startswith("/") or resource == "discovery":
        return False
    if client.startswith("Helm"):
        return resource != "secrets"
    return client.startswith("kubectl") and not command.startswith(LOOKING)


class Record:
    """What was found. tests: how many were noted, of those that are expected. whole: none of those that count is left out. skipped: whose
    tests could not run."""

    def __init__(self) -> None:
        self.found: Found = {}
        self.expected = self.tests = 0
        self.whole = False
        self.skipped: set[str] = set()
        self._logs: dict[Path, int] = {}

    def follow(self, log: Path) -> None:
        """Of a master that may be asked by tests that count."""
        self._logs[log] = 0

    @contextlib.contextmanager
    def noting(self, clients: tuple[str, ...]) -> Iterator[None]:
        """What the masters are asked within the block by clients whose names begin so counts."""
        for _ in self._news():
            pass
        yield
        for line in self._news():
            self.note(line, clients)
        self.tests += 1

    def _news(self) -> Iterator[str]:
        for log, position in self._logs.items():
            if log.exists():
                with log.open("rb") as file:
                    file.seek(position)
                    text = file.read()
                self._logs[log] = position + len(text)
                yield from text.decode(errors="replace").splitlines()

    def note(self, line: str, clients: tuple[str, ...] = ("",)) -> None:
        access = parse(line)
        if access is not None and access.client.startswith(clients) and (access.well or access.failed):
            fared = self.found.setdefault((access.resource, access.verb), {})
            fared[access.client] = fared.get(access.client, False) or access.well


RECORD = Record()
"""Of this session of pytest."""


@contextlib.contextmanager
def logged() -> Iterator[None]:
    """Masters of labs that start within the block log what they are asked."""
    before = os.environ.get(LEVEL)
    os.environ[LEVEL] = "debug"
    try:
        yield
    finally:
        if before is None:
            del os.environ[LEVEL]
        else:
            os.environ[LEVEL] = before


def modules() -> set[Path]:
    """Those with tests that count."""
    return {path for path in (ROOT / "tests" / "e2e").rglob("test_*.py") if "mark.compat(" in path.read_text()}


def clients_of(found: Found) -> list[str]:
    """In the order of the page's columns."""
    order = [name.partition("{")[0] for _, name in CLIENTS]
    return sorted({c for fared in found.values() for c in fared}, key=lambda c: (_column(order, c), c))


def red(found: Found) -> set[tuple[str, str]]:
    return {key for key, fared in found.items() if not all(fared.values())}


def joined(found: Found, page: str, skipped: Collection[str] = ()) -> Found:
    """What was found, and what the page says of clients that did not run, or whose names begin as one of those that were skipped."""
    ran = {client for client in clients_of(found) if not client.startswith(tuple(skipped))}
    whole = {key: dict(fared) for key, fared in found.items()}
    for key, fared in read(page).items():
        for client, well in fared.items():
            if client not in ran:
                whole.setdefault(key, {}).setdefault(client, well)
    return whole


def read(page: str) -> Found:
    """What a page says: the inverse of `page`."""
    found: Found = {}
    table = page[page.find(HEAD) :].partition("\n\n")[0]
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()] or [[], []]
    for resource, verbs, *cells in rows:
        for verb in verbs.split(", "):
            found[resource, verb] = {client: cell == WELL for client, cell in zip(head[2:], cells, strict=True) if cell}
    return found


def page(found: Found, reasons: dict[tuple[str, str], str]) -> str:
    """The page. Verbs of a resource with which all clients fared alike share a row."""
    clients = clients_of(found)
    numbers = {key: number for number, key in enumerate(sorted(reasons), 1)}
    rows: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (resource, verb), fared in sorted(found.items()):
        cells = tuple(_cell(fared.get(client), numbers.get((resource, verb))) for client in clients)
        rows.setdefault((resource, cells), []).append(verb)
    lines = [_INTRODUCTION, f"{HEAD}{' | '.join(clients)} |", "|---|---|" + ":-:|" * len(clients)]
    lines += [f"| {resource} | {', '.join(verbs)} | {' | '.join(cells)} |" for (resource, cells), verbs in rows.items()]
    lines += ["", *(f"{number}. {key[0]}, {key[1]}: {reasons[key]}" for key, number in numbers.items())]
    lines += ["" if numbers else None, _NEWER, "| command | since kubectl | what older ones say |", "|---|---|---|"]
    lines += [f"| {newer.title} | 1.{newer.minor} | {newer.older} |" for newer in SINCE]
    return "\n".join(line for line in lines if line is not None).rstrip() + "\n"


def _column(order: list[str], client: str) -> int:
    return next(number for number, name in enumerate(order) if client.startswith(name))


def _cell(well: bool | None, number: int | None) -> str:
    return "" if well is None else WELL if well else f"🔴{number or ''}"


_INTRODUCTION = """# Which client can do what

Written by the tests (`pytest tests/e2e --write-compat`), which fail when it is out of date. 🟢: a test did this with this client, and asserted what
came of it. 🔴: it does not work, for the reason below. Blank: not tried. Reads that a command makes while it waits for something are not listed.
"""
_NEWER = """## What older kubectls do not know

Tested with every version: the newer ones do it, the older ones refuse.
"""
