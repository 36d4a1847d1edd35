"""A group of commands that are imported when they are used: `kctl --help` and TAB need none of them, and one command needs one.

Owns the table's form and what click asks of a group. The one line of help that the list shows stands in the table, beside the place of the
command; a test holds it against the command's own.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping

import click
import msgspec
from click.shell_completion import CompletionItem


class Place(msgspec.Struct, frozen=True):
    """module: below `ctl`. help: the first sentence of the command's own. section: of the list of commands."""

    module: str
    help: str
    section: str
    attribute: str = ""


class LazyGroup(click.Group):
    def __init__(self, *, places: Mapping[str, Place], **attrs: object) -> None:
        super().__init__(**attrs)  # type: ignore[arg-type]
        self.places = places

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        place = self.places.get(cmd_name)
        if place is None:
            return None
        module = importlib.import_module(f"ctl.{place.module}")
        return getattr(module, place.attribute or cmd_name)  # type: ignore[no-any-return]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, self.places))
        for section in dict.fromkeys(place.section for place in self.places.values()):
            with formatter.section(section):
                formatter.write_dl([(name.ljust(width), place.help) for name, place in self.places.items() if place.section == section])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        found = [CompletionItem(name, help=place.help) for name, place in self.places.items() if name.startswith(incomplete)]
        return found + click.Command.shell_complete(self, ctx, incomplete)
