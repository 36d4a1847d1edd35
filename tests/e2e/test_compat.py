"""docs/compat.md says what the tests found. Runs after all others of this folder (see conftest.py); tables for how lines become rows."""

from __future__ import annotations

import difflib

import pytest

from tests.conftest import CLIENTS
from tests.e2e import compat

KUBECTL = "kubectl.1.33/v1.33.1 (linux/amd64) kubernetes/8adc0f0"


def line(method: str, path: str, *, media: str = "-", watch: bool = False, code: int = 200, agent: str = KUBECTL, command: str = "kubectl get") -> str:
    said = f"method={method} path={path} type={media} watch={watch} code={code} agent={agent!r} command={command!r}"
    return f"2026-01-01T00:00:00.000Z DEBUG   master.rest.accesses request {said}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(line("GET", "/api/v1/pods"), ("kubectl 1.33", "pods", "list"), id="a list of all namespaces"),
        pytest.param(line("GET", "/api/v1/namespaces/shop/pods/a"), ("kubectl 1.33", "pods", "get"), id="one object"),
        pytest.param(line("GET", "/api/v1/namespaces/shop"), ("kubectl 1.33", "namespaces", "get"), id="a namespace itself"),
        pytest.param(line("GET", "/api/v1/pods", watch=True), ("kubectl 1.33", "pods", "watch"), id="a watch"),
        pytest.param(line("GET", "/api/v1/pods", command="kubectl wait"), None, id="a read of a command that waits"),
        pytest.param(line("POST", "/apis/apps/v1/namespaces/shop/deployments"), ("kubectl 1.33", "deployments.apps", "create"), id="a create"),
        pytest.param(
            line("PATCH", "/apis/apps/v1/namespaces/shop/deployments/a/scale", media="application/merge-patch+json"),
            ("kubectl 1.33", "deployments.apps/scale", "patch (merge)"), id="a patch of a subresource",
        ),
        pytest.param(line("POST", "/api/v1/namespaces/shop/pods/a/exec"), ("kubectl 1.33", "pods/exec", "connect"), id="an exec"),
        pytest.param(line("DELETE", "/api/v1/namespaces/shop/pods"), ("kubectl 1.33", "pods", "deletecollection"), id="a deletion of many"),
        pytest.param(line("GET", "/apis/apps/v1"), ("kubectl 1.33", "discovery", "get"), id="discovery"),
        pytest.param(line("GET", "/openapi/v3/apis/apps/v1"), ("kubectl 1.33", "/openapi/v3", "get"), id="OpenAPI"),
        pytest.param(line("PUT", "/apis/x.example.test/v1/namespaces/a/gadgets/b"), ("kubectl 1.33", compat.CUSTOM, "update"), id="a custom resource"),
        pytest.param(line("POST", "/api/v1/namespaces", agent="Helm/3.18.0"), ("Helm 3.18", "namespaces", "create"), id="Helm writes"),
        pytest.param(line("GET", "/api/v1/pods", agent="Helm/3.18.0", command=""), None, id="Helm looks while it waits"),
        pytest.param(
            "DEBUG   master.native.objects request verb=patch resource=deployments.apps/scale named=True media=application/apply-patch+yaml "
            "code=200 agent=kctl", ("kctl", "deployments.apps/scale", "apply"), id="kctl",
        ),
        pytest.param(line("GET", "/api/v1/nodes", agent="steersman-lab", command=""), None, id="the lab itself"),
    ],
)  # fmt: skip
def test_a_line_of_the_log_becomes_an_access(text: str, expected: tuple[str, str, str] | None) -> None:
    found = compat.parse(text)
    assert (found and (found.client, found.resource, found.verb)) == expected


def test_a_page_has_a_row_for_verbs_with_which_all_clients_fared_alike() -> None:
    record = compat.Record()
    for text in (
        line("GET", "/api/v1/pods"), line("GET", "/api/v1/pods/a", code=404), line("POST", "/api/v1/pods"), line("PUT", "/api/v1/pods/a", code=405),
        line("POST", "/api/v1/pods", agent="Helm/4.1.0"),
    ):  # fmt: skip
        record.note(text)
    page = compat.page(record.found, {("pods", "update"): "nobody may."})
    assert [row for row in page.partition("##")[0].splitlines() if row.startswith(("| ", "1."))] == [
        "| resource | verbs | kubectl 1.33 | Helm 4.1 |",
        "| pods | create | 🟢 | 🟢 |",
        "| pods | list | 🟢 |  |",
        "| pods | update | 🔴1 |  |",
        "1. pods, update: nobody may.",
    ]
    assert compat.red(record.found) == {("pods", "update")}
    assert compat.read(page) == record.found, "what a page says is what it was made of"
    assert "| `kubectl wait --for=create` | 1.31 |" in page


def test_what_other_clients_do_in_a_clients_test_does_not_count() -> None:
    record = compat.Record()
    record.note(line("POST", "/api/v1/pods"), ("Helm",))
    assert record.found == {}


def test_a_client_that_is_not_here_keeps_its_column() -> None:
    here, all_of_them = compat.Record(), compat.Record()
    lines = [line("POST", "/api/v1/pods"), line("GET", "/api/v1/pods", agent="python-httpx/0.28.1")]
    here.note(lines[0])
    for text in lines:
        all_of_them.note(text)
    written = compat.page(all_of_them.found, {})
    assert compat.page(compat.joined(here.found, written), {}) == written
    here.note(line("DELETE", "/api/v1/pods/a"))
    assert compat.page(compat.joined(here.found, written), {}) != written, "what it does anew is seen"
    assert compat.joined(here.found, "") == here.found, "there is no page yet"


def test_what_a_skipped_test_would_have_found_is_not_missed() -> None:
    here, before = compat.Record(), compat.Record()
    for text in (line("POST", "/api/v1/pods"), line("POST", "/api/v1/namespaces/a/pods/b/exec")):
        before.note(text)
    here.note(line("POST", "/api/v1/pods"))
    written = compat.page(before.found, {})
    assert compat.page(compat.joined(here.found, written, {"kubectl"}), {}) == written
    assert compat.page(compat.joined(here.found, written, {"Helm"}), {}) != written


def test_what_counts_runs_in_one_process() -> None:
    counting = {path.relative_to(compat.ROOT).as_posix() for path in compat.modules()}
    assert [path for path in sorted(counting) if not path.startswith(CLIENTS)] == [], "name them in tests/conftest.py"


def test_the_page_is_what_the_tests_found(request: pytest.FixtureRequest) -> None:
    record = compat.RECORD
    if not record.whole or record.tests < record.expected or request.session.testsfailed:
        pytest.skip(f"{record.tests} of the tests that count have run, some were left out or failed: run tests/e2e whole")
    written = compat.PAGE.read_text() if compat.PAGE.exists() else ""
    found = compat.joined(record.found, written, record.skipped)
    assert compat.red(found) == set(compat.REASONS), "each red one has a reason in tests/e2e/compat.py, and no other"
    page = compat.page(found, compat.REASONS)
    if request.config.getoption("--write-compat"):
        compat.PAGE.write_text(page)
    elif written != page:
        lines = difflib.unified_diff(written.splitlines(), page.splitlines(), "docs/compat.md", "what the tests found", lineterm="", n=0)
        pytest.fail("run `pytest tests/e2e --write-compat` and look at what changed:\n" + "\n".join(lines), pytrace=False)
