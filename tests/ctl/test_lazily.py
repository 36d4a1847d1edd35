"""The list of commands: it says what the commands say of themselves, and needs none of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest

from ctl.__main__ import PLACES, cli

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.mark.parametrize("name", PLACES)
def test_the_list_says_what_the_command_says(name: str):
    command = cli.get_command(click.Context(cli), name)
    assert command is not None and command.name == name
    assert (command.help or "").startswith(PLACES[name].help.removesuffix("."))


def test_help_and_the_words_of_commands_import_no_command():
    ask = (
        "import sys\nfrom ctl.__main__ import cli\nfrom click.testing import CliRunner\nimport click\n"
        "assert 'describe' in CliRunner().invoke(cli, ['--help']).output\n"
        "assert [c.value for c in cli.shell_complete(click.Context(cli), 'ap')] == ['apply', 'api-resources']\n"
        "print([m for m in sys.modules if m.startswith('ctl.') or m in ('zmq', 'msgpack', 'yaml', 'rich', 'asyncio')])"
    )
    done = subprocess.run([sys.executable, "-c", ask], cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == "['ctl.lazily', 'ctl.__main__']"
