"""What needs real containers, with every kubectl: exec, logs, attach, cp, port-forward, and debug with a way in.

Once through each of kubectl's protocols; how streams behave in trouble is in tests/e2e/test_streams.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.contract import Lab
from tests.e2e import test_streams
from tests.e2e.clients.conftest import SHORT_LIVED, VERSIONS
from tests.e2e.conftest import Kubectl
from tests.e2e.test_streams import LOOK, Shell, fetch, forwarded, heard

pytestmark = pytest.mark.compat("kubectl")


@pytest.fixture(scope="module")
def web(lab: Lab, kubectl_of: Kubectl) -> Iterator[Lab]:
    with test_streams.waiting_pod(lab, kubectl_of) as ready:
        yield ready


@pytest.fixture(params=VERSIONS)
def shell(web: Lab, request: pytest.FixtureRequest) -> Shell:
    made = Shell(web, request.param)
    made.env |= SHORT_LIVED
    return made


def said(shell: Shell, *args: str, stdin: bytes = b"") -> str:
    ended = shell.run(*args, stdin=stdin)
    assert ended.returncode == 0, f"kubectl {shell.version} {' '.join(args)}: {ended.stderr.decode()}"
    return ended.stdout.decode()


def test_into_a_container_and_out_of_it(shell: Shell, tmp_path: Path) -> None:
    main = ("web", "-c", "main")
    assert said(shell, "exec", "-i", *main, "--", "sh", "-c", "cat; echo end", stdin=b"word ") == "word end\n"
    assert shell.run("exec", *main, "--", "sh", "-c", "exit 3").returncode == 3
    word = f"through {shell.version}"
    assert heard(shell, "attach", "-i", *main, word=word, last=word) == f"{word}\n"
    assert word in said(shell, "logs", *main, "--tail=20").splitlines()
    (tmp_path / "there").write_text(word)
    said(shell, "cp", str(tmp_path / "there"), "web:/tmp/copied", "-c", "main")
    said(shell, "cp", "web:/tmp/copied", str(tmp_path / "back"), "-c", "main")
    assert (tmp_path / "back").read_text() == word
    with forwarded(shell, ":8080") as ((port,), _):
        assert fetch(port) == b"hello\n"


def test_debug_sees_the_processes_of_its_target_and_of_the_node(shell: Shell) -> None:
    assert "sleep 3600" in heard(shell, "debug", "web", "--target=side", *LOOK, word="into", last="into")
    assert "agent run" in heard(shell, "debug", "node/host-1", *LOOK, word="onto", last="onto")
