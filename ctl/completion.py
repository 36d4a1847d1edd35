"""`kctl completion`: a script that makes the shell complete kctl's commands, options and lab hosts.

The script is click's own. Each press of TAB runs kctl, so what a completion looks up must be cheap, must not wait, and never complains:
lab hosts are the folders of the lab on this machine; nothing asks the master.
"""

from __future__ import annotations

import os

import click
from click.shell_completion import CompletionItem, get_completion_class

VARIABLE = "_KCTL_COMPLETE"
"""The one that click itself derives from the program's name."""


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print a completion script: source <(kctl completion bash); the same with zsh; kctl completion fish | source"""
    made = get_completion_class(shell)
    if made is None:
        raise click.ClickException(f"this click has no completion for {shell}; install click 8.1 or later")
    click.echo(made(context.find_root().command, {}, "kctl", VARIABLE).source())


def lab_hosts(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The hosts of this machine's lab; none where there is no lab."""
    from lab import open as labs

    try:
        names = sorted(os.listdir(labs.directory() / "hosts"))
    except OSError:
        return []
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]
