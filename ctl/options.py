"""Options that the commands about objects share: the namespace, whom to act as, files, a dry run.

One decorator each, so that a word means the same everywhere. Whom to act as goes into the context, where the connection is made.
"""

from __future__ import annotations

import functools
import os
from typing import Any

import click

from ctl import completion


def _acting(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    if value:
        context.ensure_object(dict)[{"acting_user": "user", "acting_groups": "groups"}[parameter.name or ""]] = value


def acting(command: Any) -> Any:
    """`--as`, `--as-group`."""
    command = click.option(
        "--as-group", "acting_groups", multiple=True, expose_value=False, callback=_acting, metavar="GROUP", help="With --as; repeatable."
    )(command)
    return click.option(
        "--as", "acting_user", default=None, expose_value=False, callback=_acting, metavar="USER",
        help="Act as USER; takes the right to impersonate.",
    )(command)  # fmt: skip


def namespaced(command: Any) -> Any:
    """`-n`, and `acting`. The command gets `namespace`, "" when it is not given."""
    return click.option(
        "-n", "--namespace", default=lambda: os.environ.get("KCTL_NAMESPACE", ""), metavar="NAMESPACE",
        shell_complete=completion.namespaces, help="Of which namespace [default: $KCTL_NAMESPACE, or default].",
    )(acting(command))  # fmt: skip


def files(help_: str = "A file, folder, URL or - (standard input); repeatable.", *, required: bool = False) -> Any:
    """`-f`, `-R`."""

    def decorate(command: Any) -> Any:
        command = click.option("-R", "--recursive", is_flag=True, help="Of folders, those within them too.")(command)
        return click.option("-f", "--filename", "places", multiple=True, required=required, metavar="FILE", help=help_)(command)

    return decorate


def dry_run(command: Any) -> Any:
    """`--dry-run=server`; the command gets a bool."""

    @functools.wraps(command)
    def converted(*args: Any, dry_run: str, **kwargs: Any) -> Any:
        return command(*args, dry_run=dry_run == "server", **kwargs)

    return click.option(
        "--dry-run", type=click.Choice(["none", "server"]), default="none", help="server: all but the change itself."
    )(converted)


def words(command: Any) -> Any:
    """KIND, KIND NAME… or KIND/NAME…"""
    return click.argument("words", nargs=-1, metavar="KIND [NAME…] | KIND/NAME…", shell_complete=completion.targets)(command)


selector = click.option("-l", "--selector", default="", metavar="LABELS", help="Only those with these labels: a=b,c in (d,e),!f.")


def here(namespace: str) -> str:
    return namespace or "default"

written = click.option(
    "-o", "--output", "form", type=click.Choice(["name", "json", "yaml"]), default=None, help="Print the objects, or their names alone."
)
"""For commands that write; `output.written` prints."""
