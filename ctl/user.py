"""`kctl user`: credentials for people. create, revoke.

There is no list of users: a certificate says a name and groups, and roles say what they may (`kubectl create rolebinding`).
"""

from __future__ import annotations

import os
from pathlib import Path

import click

from ctl.client import Client, connected
from ctl.durations import DURATION


@click.group()
def user() -> None:
    """Credentials for people who use the cluster."""


@user.command()
@click.argument("name")
@click.option("--group", "groups", multiple=True, metavar="GROUP", help="A group the user belongs to; repeatable.")
@click.option("--expires", type=DURATION, default="365d", show_default=True, help="How long the certificate is good: 12h, 30d.")
@click.option("--out", type=click.Path(dir_okay=False), default=None, metavar="FILE", help="Write it there, for its owner alone.")
@click.option("--kctl", "for_kctl", is_flag=True, help="A key for kctl instead of a certificate for kubectl.")
@connected
async def create(client: Client, name: str, groups: tuple[str, ...], expires: int, out: str | None, for_kctl: bool) -> None:
    """Make a client certificate for NAME, and print a kubeconfig with it.

    With --kctl: make a key, and print a configuration for kctl with it. Deleting its Secret in kube-system takes it back.
    """
    made = await client.call("user-create", name=name, groups=list(groups), ttl_s=expires, kctl=for_kctl)
    text = made["kctl" if for_kctl else "kubeconfig"]
    if for_kctl:
        click.echo(f"kubectl delete secret -n kube-system {made['secret']} takes this key back", err=True)
    if out is None:
        click.echo(text, nl=False)
        return
    path = Path(out)
    try:
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
    except OSError as error:
        raise click.ClickException(f"cannot write {path}: {error.strerror}") from None
    click.echo(f"user/{name} can use {path} until {made['expires']}", err=True)


@user.command()
@click.argument("name")
@connected
async def revoke(client: Client, name: str) -> None:
    """Refuse all certificates and kctl keys that were made for NAME up to now, whoever made them. New ones can be made."""
    done = await client.call("user-revoke", name=name)
    click.echo(f"user/{name}: certificates and keys made until {done['since']} are refused", err=True)
