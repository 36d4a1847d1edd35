"""kctl: the administrator's command line.

One file per command group. It talks to the master over the native front with a key of its own, and to labs on this machine
directly. What kubectl does well is left to kubectl.
"""

from __future__ import annotations

import click

from common import version as build
from ctl.bundle import bundle
from ctl.completion import completion
from ctl.lab import lab
from ctl.lab_logs import logs
from ctl.node import node
from ctl.status import status, version
from ctl.token import token
from ctl.user import user
from ctl.why import why


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--config", default=None, metavar="FILE", help="Whose cluster: a file that kmaster wrote (kctl.json).")
@click.version_option(build.VERSION, prog_name="kctl")
@click.pass_context
def cli(context: click.Context, config: str | None) -> None:
    """Administer a Steersman cluster."""
    context.obj = {"config": config}


for command in (bundle, completion, lab, node, status, token, user, version, why):
    cli.add_command(command)
lab.add_command(logs)


def main() -> None:
    """The console script."""
    cli(prog_name="kctl", auto_envvar_prefix=None)


if __name__ == "__main__":
    main()
