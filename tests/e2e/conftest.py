"""The labs that the end-to-end tests run in: one with real containers (root only), one hollow, each started once and shared.

    lab, hollow_lab   the labs, of two hosts, with the example running
    kubectl           a function: kubectl(lab, "get", "pods", version="1.33") → CompletedProcess, of the real binaries in $KUBECTL_DIR
    cluster           a Cluster in a namespace of its own; every test that uses it runs on both labs, unless it is marked `real`;
                      with --long on Docker and on mixed hosts too, and those marked `also` on the labs that they name in every run

A lab has an id and a folder of its own, beside any that a person has started. With $STEERSMAN_E2E_LAB=FOLDER the labs are kept there
between runs, which saves their start. When a test has failed, the daemons' logs are kept in build/lab-logs.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from common.clock import SystemRng
from lab import open as labs
from lab.contract import MASTER, Lab, LabFault, LabSettings, Quiet
from tests.e2e import compat
from tests.e2e.cluster import Cluster, manifest

ROOT = Path(__file__).resolve().parent.parent.parent
LOGS = ROOT / "build" / "lab-logs"
NEWEST = "1.33"
KUBECTL_TIMEOUT_S = 90.0
RUNTIMES = ("containerd", "hollow")
LAST = "test_the_page_is_what_the_tests_found"
LONG_RUNTIMES = ("docker", "mixed")
"""With --long, and in every run for tests marked `also("docker")`. One of them: `pytest --long tests/e2e -k docker`."""


def kubectl_binary(version: str) -> Path | None:
    """The real one of that version, if it is here."""
    folder = os.environ.get("KUBECTL_DIR") or str(Path(shutil.which("kubectl") or "/nowhere").resolve().parent)
    path = Path(folder) / f"kubectl.{version}"
    return path if path.exists() else None


def kubectl_path(version: str = NEWEST) -> Path:
    """The same. Skips the test when there is none."""
    path = kubectl_binary(version)
    if path is None:
        pytest.skip(f"there is no kubectl {version} here: script/test fetches it")
    return path


def _run_lab(runtime: str, request: pytest.FixtureRequest) -> Iterator[Lab]:
    if runtime != "hollow" and os.geteuid() != 0:
        pytest.skip("real containers need root")
    kept = os.environ.get("STEERSMAN_E2E_LAB")
    directory = Path(kept) / runtime if kept else Path(tempfile.mkdtemp(prefix=f"st-e2e-{runtime}-"))
    lab = labs.open_lab(directory, LabSettings(runtime=runtime, hosts=2))
    try:
        with compat.logged():
            lab.up(Quiet())
        compat.RECORD.follow(directory / "hosts" / MASTER / "log" / "kmaster.log")
        yield lab
    finally:
        if request.session.testsfailed:
            _keep_logs(directory, runtime)
        if not kept:
            lab.down(Quiet())
            shutil.rmtree(directory, ignore_errors=True)


def _keep_logs(directory: Path, runtime: str) -> None:
    for log in (directory / "hosts").glob("*/log/*.log"):
        target = LOGS / runtime / f"{log.parent.parent.name}-{log.name}"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(log, target)


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """Real containers on two hosts."""
    yield from _run_lab("containerd", request)


@pytest.fixture(scope="session")
def hollow_lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    yield from _run_lab("hollow", request)


Kubectl = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def kubectl_of() -> Kubectl:
    def run(lab: Lab, *args: str, version: str = NEWEST, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(kubectl_path(version)), *args],
            env={**os.environ, "KUBECONFIG": str(lab.kubeconfig), "HOME": str(lab.kubeconfig.parent)},
            input=stdin, stdin=subprocess.DEVNULL if stdin is None else None, capture_output=True, text=True, timeout=KUBECTL_TIMEOUT_S,
        )  # fmt: skip

    return run


@pytest.fixture(scope="session")
def kubectl(kubectl_of: Kubectl) -> Kubectl:
    return kubectl_of


@pytest.fixture(scope="session")
def docker_lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    yield from _run_lab("docker", request)


@pytest.fixture(scope="session")
def mixed_lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """host-1 with containerd, host-2 with Docker."""
    yield from _run_lab("mixed", request)


@pytest.fixture(scope="session", params=[*RUNTIMES, *LONG_RUNTIMES])
def running(request: pytest.FixtureRequest) -> tuple[str, Lab]:
    """The runtime's name and its lab, one after the other."""
    name = {"containerd": "lab", "docker": "docker_lab", "mixed": "mixed_lab", "hollow": "hollow_lab"}[request.param]
    return request.param, request.getfixturevalue(name)


@pytest.fixture
def cluster(running: tuple[str, Lab], request: pytest.FixtureRequest) -> Iterator[Cluster]:
    runtime, lab = running
    namespace = f"e2e-{SystemRng().suffix()}"
    made = Cluster(lab, kubectl=kubectl_path(), kctl_config=lab.kubeconfig.parent / "kctl.json", runtime=runtime, namespace=namespace)
    made.kubectl("create", "-f", "-", stdin=manifest({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}))
    yield made
    made.kubectl("delete", "namespace", namespace, "--wait=false", check=False)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On which labs a test is there at all, rather than being skipped: those marked `real` are not on hollow hosts.

    The comparison with docs/compat.md comes last; it needs to know whether all tests that count are there.
    """
    belongs = [_belongs(item, long=bool(config.getoption("--long"))) for item in items]
    config.hook.pytest_deselected(items=[item for item, kept in zip(items, belongs, strict=True) if not kept])
    here = [item for item, kept in zip(items, belongs, strict=True) if kept]
    items[:] = sorted(here, key=lambda item: item.name == LAST)
    counting = [item for item in items if item.get_closest_marker("compat")]
    options = config.option
    chosen = any("::" in arg for arg in config.args) or bool(
        options.keyword or options.markexpr or options.deselect or options.lf or options.kubectl
    )
    compat.RECORD.expected = len(counting)
    compat.RECORD.whole = not chosen and compat.modules() <= {item.path for item in counting}


@pytest.fixture(autouse=True)
def what_clients_do(request: pytest.FixtureRequest) -> Iterator[None]:
    """Is noted for docs/compat.md while a test runs that counts. A lab's master that starts anew goes on to log it."""
    counts = request.node.get_closest_marker("compat")
    with compat.logged(), compat.RECORD.noting(counts.args) if counts else contextlib.nullcontext():
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    counts = item.get_closest_marker("compat")
    if counts and report.skipped:
        compat.RECORD.skipped.update(counts.args)
    return report


def _belongs(item: pytest.Item, *, long: bool) -> bool:
    call = getattr(item, "callspec", None)
    runtime = call.params.get("running", "") if call is not None else ""
    if runtime == "hollow":
        return item.get_closest_marker("real") is None
    also = item.get_closest_marker("also")
    return long or runtime not in LONG_RUNTIMES or (also is not None and runtime in also.args)


@pytest.fixture
def spare_lab(tmp_path: Path) -> Iterator[Callable[[LabSettings], Lab]]:
    """For tests of labs themselves: makes one in a folder of its own, and removes it."""
    made: list[Lab] = []

    def make(settings: LabSettings) -> Lab:
        made.append(labs.open_lab(tmp_path / "lab", settings))
        return made[-1]

    yield make
    for each in made:
        try:
            each.down(Quiet())
        except LabFault as error:
            pytest.fail(error.message)
