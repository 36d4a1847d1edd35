"""`kctl completion`: a script that makes the shell complete kctl's commands, options, lab hosts, kinds, names and namespaces.

The script is click's own. Each press of TAB runs kctl, so what a completion looks up must be cheap, must not wait for long, and never
complains: lab hosts are the folders of the lab on this machine; kinds and names are the master's, if it answers within a second.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any

import click
from click.shell_completion import CompletionItem, get_completion_class

VARIABLE = "_KCTL_COMPLETE"
"""The one that click itself derives from the program's name."""
PATIENCE_S = 1.0
MOST = 500
"""So many names are offered."""


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print a completion script: source <(kctl completion bash); the same with zsh; kctl completion fish | source."""
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
    return _beginning(names, incomplete)


def namespaces(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return _beginning(_asked(context, lambda client: _names(client, "namespaces", "")), incomplete)


def pods(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return _beginning(_asked(context, lambda client: _names(client, "pods", _namespace(context))), incomplete)


def targets(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """A kind first; then names of it; after `KIND/`, names with that before them."""
    said = context.params.get("words") or ()
    if said and "/" not in said[0]:
        names = _asked(context, lambda client: _names(client, said[0], _namespace(context)))
        return _beginning([name for name in names if name not in said], incomplete)
    if "/" in incomplete:
        kind = incomplete.partition("/")[0]
        names = _asked(context, lambda client: _names(client, kind, _namespace(context)))
        return _beginning([f"{kind}/{name}" for name in names], incomplete)
    return _beginning(_asked(context, _kinds), incomplete)


def _beginning(words: list[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(word) for word in words if word.startswith(incomplete)]


def _namespace(context: click.Context) -> str:
    return context.params.get("namespace") or os.environ.get("KCTL_NAMESPACE") or "default"


async def _kinds(client: Any) -> list[str]:
    from ctl import kinds

    found = await kinds.load(client)
    return sorted({kind.plural for kind in found.all if "get" in kind.verbs})


async def _names(client: Any, kind: str, namespace: str) -> list[str]:
    from ctl.objects import Objects

    async for page in Objects(client).pages(kind, namespace, form="partial", limit=MOST):
        return [item["metadata"]["name"] for item in page["items"]]
    return []


def _asked(context: click.Context, use: Callable[[Any], Awaitable[list[str]]]) -> list[str]:
    import asyncio

    from common.errors import SteersmanError
    from ctl.client import with_client

    async def hurry() -> list[str]:
        async with asyncio.timeout(PATIENCE_S):
            return await with_client({"config": context.find_root().params.get("config")}, use)

    try:
        return asyncio.run(hurry())
    except (TimeoutError, SteersmanError, click.ClickException):
        return []
