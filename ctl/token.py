"""`kctl token`: what a host needs to join. create, ls, rm.

A token is a Secret of the type that Kubernetes uses for bootstrap tokens. Its secret half is printed once, by `create`.
"""

from __future__ import annotations

import base64

import click

from ctl import output
from ctl.client import Client, connected
from ctl.durations import DURATION
from ctl.objects import Objects, selection

NAMESPACE = "kube-system"
PREFIX = "bootstrap-token-"


@click.group()
def token() -> None:
    """Tokens with which hosts join the cluster."""


@token.command()
@click.option("--ttl", type=DURATION, default="24h", show_default=True, help="How long it admits hosts: 30m, 24h; 0 for ever.")
@click.option("--description", default="", help="A word for those who list the tokens.")
@connected
async def create(client: Client, ttl: int, description: str) -> None:
    """Make a token, and print the join string for `kagent join`."""
    made = await client.call("token-create", ttl_s=ttl, description=description)
    click.echo(made["join"])


@token.command("ls")
@output.output_option
@connected
async def ls(client: Client, form: str) -> None:
    """List the tokens, without their secrets."""
    listed = await Objects(client).list("secrets", NAMESPACE, query=selection(fields="type=bootstrap.kubernetes.io/token"))
    print_tokens(listed, form)


def print_tokens(listed: dict, form: str) -> None:
    """The secret half never leaves this function."""
    rows = []
    for secret in listed["items"]:
        data = {key: base64.b64decode(value).decode() for key, value in (secret.get("data") or {}).items()}
        secret["data"].pop("token-secret", None)
        rows.append([data.get("token-id", ""), data.get("expiration", "<never>"), data.get("description", "")])
    if form in ("table", "wide"):
        output.columns(rows, ["ID", "EXPIRES", "DESCRIPTION"])
    else:
        output.documents(listed, form, resource="token")


@token.command()
@click.argument("id")
@connected
async def rm(client: Client, id: str) -> None:
    """Revoke a token: it admits nobody from now on."""
    await client.call("token-delete", id=id.partition(".")[0])
    click.echo(f"token/{id.partition('.')[0]} revoked")
