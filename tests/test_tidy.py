"""The rules of this repository, as a test: who may import whom, how large things grow, what is banned.

The rules are those of docs/architecture.md and CONTRIBUTING.md. A rule that a file must break is listed here with its reason,
so that every exception is seen in one place.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("common", "master", "agent", "ctl", "lab")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))

MAY_IMPORT = {
    "common": {"common"},
    "master": {"common", "master"},
    "agent": {"common", "agent"},
    "ctl": {"common", "ctl", "lab"},
    "lab": {"common", "lab"},
}
STRANGERS = ("rest", "native", "dispatch", "scheduler", "controllers")
"""Parts of the master that meet only in `api` and the store."""

OWNERS = {
    "zmq": ("common/wire/zmq_transport.py", "common/wire/zmq_"),
    "msgpack": ("common/wire/codec.py",),
    "apsw": ("master/store/",),
    "sqlite3": (),
    "psutil": ("agent/resources.py", "lab/"),
    "grpc": ("agent/runtime/", "agent/probes/network.py"),
    "h11": ("agent/probes/network.py",),
    "cri_api": ("agent/runtime/",),
    "aiohttp": ("master/rest/", "master/webhooks.py", "agent/runtime/docker"),
    "aiodocker": ("agent/runtime/docker",),
    "paramiko": (),
    "pyroute2": ("lab/",),
    "kubernetes_validate": (),
}
"""Which module or folder alone may import a library."""

PURE = (
    "master/scheduler/decide.py", "master/scheduler/explain.py", "master/scheduler/plugins/", "agent/lifecycle",
    "agent/images/reference.py", "agent/images/keyring.py",
    "master/dispatch/assignments.py", "common/objects/", "master/api/kinds/", "master/api/patch.py",
    "master/api/strategic.py", "master/api/strict.py", "master/api/apply/", "master/api/tracking.py",
    "master/api/query.py", "common/jsonpath.py", "ctl/describing", "ctl/differences.py", "ctl/templates.py",
)  # fmt: skip
IMPURE_MODULES = {"asyncio", "logging", "time", "random", "socket", "os", "subprocess", "threading", "uuid"}

TIME_ADAPTER = "common/clock.py"
CLOCK_CALLS = re.compile(r"\b(time\.time|time\.monotonic|time\.perf_counter|datetime\.now|datetime\.utcnow|uuid\.uuid4|uuid4)\(")
BANNED_NAMES = ("handle", "process", "manage", "do")
BANNED_MODULES = {"utils", "util", "helpers", "helper", "misc", "base", "manager"}
LINE_LIMIT = 140
MODULE_LIMIT = 600
FUNCTION_LIMIT = 70
METHODS_LIMIT = 20
PARAMETERS_LIMIT = 3
LONG_SLEEP = re.compile(r"\btime\.sleep\(")


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Every imported module's full name with its line; those for type checking only included."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module, node.lineno
            for alias in node.names:
                yield f"{node.module}.{alias.name}", node.lineno


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def complain(found: list[str]) -> None:
    assert not found, "\n" + "\n".join(sorted(set(found)))


def test_packages_import_only_what_they_may() -> None:
    found = []
    for path in SOURCES:
        package = path.relative_to(ROOT).parts[0]
        for module, line in imports(path):
            top = module.partition(".")[0]
            if top in PACKAGES and top not in MAY_IMPORT[package]:
                found.append(f"{name(path)}:{line}: {package} may not import {top}")
    complain(found)


def test_parts_of_the_master_meet_only_in_the_api_and_the_store() -> None:
    found = []
    for path in SOURCES:
        parts = path.relative_to(ROOT).parts
        if parts[0] != "master" or len(parts) < 3:
            continue
        for module, line in imports(path):
            words = module.split(".")
            if words[0] != "master" or len(words) < 2 or words[1] == parts[1]:
                continue
            if words[1] in STRANGERS and (parts[1] in STRANGERS or parts[1] in ("api", "store")):
                found.append(f"{name(path)}:{line}: master/{parts[1]} may not import master.{words[1]}")
            if parts[1] == "store" and words[1] == "api":
                found.append(f"{name(path)}:{line}: the store may not know the api")
    complain(found)


def test_each_library_has_one_owner() -> None:
    found = []
    for path in SOURCES:
        for module, line in imports(path):
            owners = OWNERS.get(module.partition(".")[0])
            if owners is not None and not name(path).startswith(owners or ("\0",)):
                found.append(f"{name(path)}:{line}: {module} belongs to {', '.join(owners) or 'nobody'}")
    complain(found)


def pure_modules() -> list[Path]:
    chosen = [path for path in SOURCES if name(path).startswith(PURE)]
    shells = {"loop.py", "__init__.py", "controllers.py", "indexes.py", "view.py", "views.py"}
    return chosen + [path for path in SOURCES if path.parent == ROOT / "master" / "controllers" and path.name not in shells]


def test_what_decides_is_pure() -> None:
    found = []
    for path in pure_modules():
        for module, line in imports(path):
            if module.partition(".")[0] in IMPURE_MODULES:
                found.append(f"{name(path)}:{line}: a pure module may not import {module}")
    complain(found)


def test_time_and_randomness_come_from_the_clock() -> None:
    found = []
    for path in SOURCES:
        if name(path) == TIME_ADAPTER:
            continue
        for number, text in enumerate(path.read_text().splitlines(), 1):
            if CLOCK_CALLS.search(text):
                found.append(f"{name(path)}:{number}: reads time or randomness outside {TIME_ADAPTER}: {text.strip()}")
        for module, line in imports(path):
            if module.partition(".")[0] in ("random", "secrets"):
                found.append(f"{name(path)}:{line}: {module} belongs to {TIME_ADAPTER}")
    complain(found)


def test_tasks_are_made_in_one_place() -> None:
    found = []
    for path in SOURCES:
        if name(path).startswith("common/aio/"):
            continue
        for number, text in enumerate(path.read_text().splitlines(), 1):
            if re.search(r"create_task\(|ensure_future\(|asyncio\.TaskGroup|asyncio\.wait\(|asyncio\.gather\(|add_done_callback", text):
                found.append(f"{name(path)}:{number}: use common.aio.tasks: {text.strip()}")
    complain(found)


def test_only_the_supervisor_catches_everything() -> None:
    found = []
    for path in SOURCES:
        if name(path) == "common/aio/tasks.py":
            continue
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ExceptHandler):
                caught = [node.type] if not isinstance(node.type, ast.Tuple) else node.type.elts
                broad = any(c is None or (isinstance(c, ast.Name) and c.id in ("Exception", "BaseException")) for c in caught)
                reraises = any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
                if broad and not reraises:
                    found.append(f"{name(path)}:{node.lineno}: catches everything")
    complain(found)


def test_modules_say_why_they_exist() -> None:
    found = []
    for path in SOURCES:
        text = path.read_text()
        if path.name == "__init__.py" and not text.strip():
            continue
        if ast.get_docstring(tree(path)) is None:
            found.append(f"{name(path)}: opens without a docstring")
    complain(found)


def test_modules_are_named_for_what_they_own() -> None:
    complain([f"{name(path)}: not a name" for path in SOURCES if path.stem in BANNED_MODULES])


def test_sizes() -> None:
    found = []
    for path in SOURCES:
        lines = path.read_text().splitlines()
        if len(lines) > MODULE_LIMIT:
            found.append(f"{name(path)}: {len(lines)} lines, split it (limit {MODULE_LIMIT})")
        found += [f"{name(path)}:{n}: {len(t)} columns (limit {LINE_LIMIT})" for n, t in enumerate(lines, 1) if len(t) > LINE_LIMIT]
        for function in functions(path):
            length = (function.end_lineno or function.lineno) - function.lineno + 1
            if length > FUNCTION_LIMIT:
                found.append(f"{name(path)}:{function.lineno}: {function.name} has {length} lines (limit {FUNCTION_LIMIT})")
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ClassDef):
                methods = sum(isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef) for item in node.body)
                if methods > METHODS_LIMIT and not _is_protocol(node):
                    found.append(f"{name(path)}:{node.lineno}: {node.name} has {methods} methods (limit {METHODS_LIMIT})")
    complain(found)


def _is_protocol(node: ast.ClassDef) -> bool:
    return any(isinstance(b, ast.Name) and b.id == "Protocol" for b in node.bases)


def test_more_than_three_parameters_are_named_by_the_caller() -> None:
    found = []
    for path in SOURCES:
        for function in functions(path):
            if any(_decorated_by_click(d) for d in function.decorator_list):
                continue
            positional = [a for a in function.args.posonlyargs + function.args.args if a.arg not in ("self", "cls")]
            if len(positional) > PARAMETERS_LIMIT + 2:
                found.append(f"{name(path)}:{function.lineno}: {function.name} takes {len(positional)} positional parameters")
    complain(found)


def _decorated_by_click(decorator: ast.expr) -> bool:
    text = ast.unparse(decorator)
    return text.startswith(("click.", "connected", "output.")) or ".command" in text or ".group" in text


def test_functions_are_named_for_what_they_do() -> None:
    found = []
    for path in SOURCES:
        for function in functions(path):
            if function.name.lstrip("_").split("_")[0] in BANNED_NAMES:
                found.append(f"{name(path)}:{function.lineno}: {function.name}")
    complain(found)


def test_tests_do_not_sleep() -> None:
    found = []
    for path in TESTS:
        for number, text in enumerate(path.read_text().splitlines(), 1):
            if LONG_SLEEP.search(text) and path.name != "test_tidy.py":
                found.append(f"{name(path)}:{number}: wait for a condition instead: {text.strip()}")
    complain(found)


WORDS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def test_nothing_is_left_undone_in_a_comment() -> None:
    found = []
    for path in SOURCES:
        for number, text in enumerate(path.read_text().splitlines(), 1):
            if WORDS.search(text):
                found.append(f"{name(path)}:{number}: {text.strip()}")
    complain(found)


def test_the_version_is_one() -> None:
    setup = (ROOT / "setup.cfg").read_text()
    declared = re.search(r"^version = (.+)$", setup, re.MULTILINE)
    build = re.search(r'^VERSION = "(.+)"$', (ROOT / "common" / "version.py").read_text(), re.MULTILINE)
    assert declared and build and declared[1] == build[1]


@pytest.mark.parametrize("folder", ["docs", "examples"])
def test_no_page_names_a_machine(folder: str) -> None:
    found = []
    for path in sorted((ROOT / folder).rglob("*")):
        if path.is_file() and re.search(r"/work/|/root/", path.read_text()):
            found.append(f"{name(path)}: carries a path of one machine")
    complain(found)
