"""kctl: the administrator's command line, and the daily work with objects where no kubectl is at hand.

One file per command group, imported when it is used. It talks to the master over the native front with a key of its own, and to labs on
this machine directly. What kubectl does beyond the daily verbs is left to kubectl.
"""

from __future__ import annotations

import click

from common import version as build
from ctl.lazily import LazyGroup, Place

OBJECTS, CLUSTER, HERE = "Objects", "The cluster", "This machine"
PLACES = {
    "get": Place("get", "Show objects.", OBJECTS),
    "describe": Place("describe", "Show all about objects: what they are, how they are, what happened to them.", OBJECTS),
    "apply": Place("apply", "Make the cluster hold what FILE says.", OBJECTS),
    "create": Place("create", "Make the objects that FILE says.", OBJECTS),
    "diff": Place("diff", "Show what apply would change.", OBJECTS),
    "edit": Place("edit", "Change objects in an editor.", OBJECTS),
    "patch": Place("patch", "Change fields of objects.", OBJECTS),
    "delete": Place("delete", "Delete objects.", OBJECTS),
    "logs": Place("logs", "Print what a pod's container writes.", OBJECTS),
    "why": Place("why", "Explain the last change of an object, also of one that is gone.", OBJECTS),
    "api-resources": Place("api_resources", "List what kinds of objects there are.", OBJECTS, "api_resources"),
    "status": Place("status", "The cluster at a glance.", CLUSTER),
    "node": Place("node", "The hosts of the cluster.", CLUSTER),
    "image": Place("image", "The images on the hosts.", CLUSTER),
    "token": Place("token", "Tokens with which hosts join the cluster.", CLUSTER),
    "user": Place("user", "Credentials for people who use the cluster.", CLUSTER),
    "bundle": Place("bundle", "Collect versions, logs, objects and their recent history in FILE (tar.gz).", CLUSTER),
    "version": Place("status", "Versions of kctl and of the master.", CLUSTER),
    "lab": Place("lab", "A small cluster on this machine, to try things out.", HERE),
    "completion": Place("completion", "Print a completion script.", HERE),
}


@click.group(cls=LazyGroup, places=PLACES, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--config", default=None, metavar="FILE", help="Whose cluster: a file that kmaster wrote (kctl.json).")
@click.version_option(build.VERSION, prog_name="kctl")
@click.pass_context
def cli(context: click.Context, config: str | None) -> None:
    """Work with the objects of a Steersman cluster, and administer it."""
    context.obj = {"config": config}


def main() -> None:
    """The console script."""
    cli(prog_name="kctl", auto_envvar_prefix=None)


if __name__ == "__main__":
    main()
