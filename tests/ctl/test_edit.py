"""`kctl edit` with editors that are scripts, over the native front: what is sent, what comes back into the editor, and that nothing is lost."""

from __future__ import annotations

import json
import re
import stat
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import click
import pytest

from ctl import edit, kinds
from ctl.objects import Objects
from ctl.placing import Place
from tests.master.native.native import Native, serve

MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1", "b": "1"}}

EDITOR = """#!{python}
import json, sys, pathlib
path, here = pathlib.Path(sys.argv[1]), pathlib.Path({here!r})
text, steps = path.read_text(), json.loads((here / "steps").read_text())
(here / "seen").open("a").write(json.dumps(text) + "\\n")
for old, new in steps.pop(0) if steps else []:
    assert old in text, (old, text)
    text = text.replace(old, new)
path.write_text(text)
(here / "steps").write_text(json.dumps(steps))
"""

Steps = list[list[list[str]]]


class Editing:
    """steps: what the editor replaces each time it is opened; meddle: what somebody else does before kctl's change arrives."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        script = folder / "editor"
        script.write_text(EDITOR.format(python=sys.executable, here=str(folder)))
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("KCTL_EDITOR", str(script))
        self.said = ""

    def seen(self) -> list[str]:
        return [json.loads(line) for line in (self.folder / "seen").read_text().splitlines()]

    def run(self, steps: Steps, *, meddle: Callable[[Objects], Awaitable[Any]] | None = None) -> dict[str, Any]:
        """The object in the end."""
        (self.folder / "steps").write_text(json.dumps(steps))
        left: dict[str, Any] = {}

        async def use(here: Native) -> None:
            plain = Objects(here.client)
            await plain.create("configmaps", "default", MAP)

            class Meddled(Objects):
                async def patch(self, *args: Any, **kwargs: Any) -> Any:
                    nonlocal meddle
                    if meddle is not None:
                        first, meddle = meddle, None
                        await first(plain)
                    return await super().patch(*args, **kwargs)

            place = Place((await kinds.load(here.client)).named("cm"), "default", "c")
            try:
                await edit._edited(Meddled(here.client), place)
            except click.ClickException as error:
                self.said = error.message
            left.update(await plain.get("configmaps", "c", "default"))

        serve(use)
        return left


@pytest.fixture
def editing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Editing:
    return Editing(tmp_path, monkeypatch)


def test_a_change_is_sent_and_nothing_else(editing: Editing, capsys: pytest.CaptureFixture[str]):
    left = editing.run([[["a: '1'", "a: '2'"]]])
    assert left["data"] == {"a": "2", "b": "1"}
    assert capsys.readouterr().out == "configmap/c edited\n"
    assert "managedFields" not in editing.seen()[0] and editing.seen()[0].startswith("# Change the object below")


@pytest.mark.parametrize("steps", [[], [[["data:", "data: "]]]], ids=["left as it was", "changed only in its form"])
def test_no_change_is_none(editing: Editing, capsys: pytest.CaptureFixture[str], steps: Steps):
    assert editing.run(steps)["data"] == MAP["data"]
    assert capsys.readouterr().out == "configmap/c not changed\n"


def test_what_is_refused_comes_back_with_the_reason(editing: Editing):
    left = editing.run([[["v1\ndata:", "v1\ndataa: {}\ndata:"], ["a: '1'", "a: '7'"]], [["dataa: {}\n", ""]]])
    assert left["data"]["a"] == "7" and editing.said == ""
    again = editing.seen()[1]
    assert '# Not accepted:\n' in again and 'strict decoding error: unknown field "dataa"\n' in again and "a: '7'" in again


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("name: c", "name: d", "metadata.name cannot be changed: it was c, and now it is d"),
        ("kind: ConfigMap", "kind: Secret", "kind cannot be changed"), ("data:", "data: [", "error converting YAML to JSON"),
    ],
    ids=["another name", "another kind", "broken YAML"],
)  # fmt: skip
def test_a_text_that_is_given_up_is_kept(editing: Editing, old: str, new: str, why: str):
    assert editing.run([[[old, new]]])["data"] == MAP["data"]
    assert f"# {why}" in editing.seen()[1].replace("the edited text: ", "")
    kept = re.search(r"Your text is kept in (\S+)", editing.said)
    assert kept is not None and "was not changed" in editing.said
    path = Path(kept[1])
    assert new in path.read_text() and not path.read_text().startswith("#")
    path.unlink()


def test_what_others_change_meanwhile_stays(editing: Editing):
    async def meddle(objects: Objects) -> None:
        await objects.patch("configmaps", "c", "default", {"data": {"b": "theirs"}})

    assert editing.run([[["a: '1'", "a: '2'"]]], meddle=meddle)["data"] == {"a": "2", "b": "theirs"}


def test_where_both_changed_the_user_decides_again(editing: Editing):
    async def meddle(objects: Objects) -> None:
        await objects.patch("configmaps", "c", "default", {"data": {"a": "theirs", "b": "theirs"}})

    mine = editing.run([[["a: '1'", "a: mine"]], [["# Not accepted:\n", ""]]], meddle=meddle)
    assert mine["data"] == {"a": "mine", "b": "theirs"}
    assert "# changed by somebody else while you were editing: data.a\n" in editing.seen()[1]
    assert "a: mine" in editing.seen()[1] and "b: theirs" in editing.seen()[1]


def test_leaving_the_question_open_keeps_theirs_and_the_text(editing: Editing):
    async def meddle(objects: Objects) -> None:
        await objects.patch("configmaps", "c", "default", {"data": {"a": "theirs"}})

    assert editing.run([[["a: '1'", "a: mine"]]], meddle=meddle)["data"]["a"] == "theirs"
    kept = re.search(r"Your text is kept in (\S+)", editing.said)
    assert kept is not None and "a: mine" in Path(kept[1]).read_text()
    Path(kept[1]).unlink()


@pytest.mark.parametrize(("editor", "said"), [("/nowhere/ed", "cannot be run: No such file"), ("false", "ended with code 1"), ("'", "cannot be run")])
def test_an_editor_that_does_not_work_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, editor: str, said: str):
    monkeypatch.setenv("KCTL_EDITOR", editor)
    with pytest.raises(click.ClickException, match=said):
        edit.ask_editor(tmp_path / "x", "text")
