"""What kctl prints: tables, JSON, YAML, names.

Tables come from the master (the same columns as kubectl's); kctl only lays them out. Data goes to standard output, everything
said about it to standard error. Templates are `templates.py`'s.
"""

from __future__ import annotations

import json
import re
from typing import Any

import click

FORMATS = ("table", "wide", "json", "yaml", "name")
GAP = 3
LEAST = 6
"""A column's width with the gap after it, at the least: kubectl's."""
_BREAK = re.compile(r"[\n\r\f\v]")


def output_option(command: Any) -> Any:
    """`-o/--output`."""
    return click.option(
        "-o", "--output", "form", type=click.Choice(FORMATS), default="table", help="How to print: table (default), wide, json, yaml, name."
    )(command)


class Layout:
    """Left-aligned columns, as kubectl prints them. They keep the widths of what was printed first; what a watch adds stands below."""

    def __init__(self, lines: list[list[str]]) -> None:
        self._widths = [max(LEAST, GAP + max(map(len, column))) for column in zip(*lines, strict=True)]

    def line(self, cells: list[str]) -> str:
        if not self._widths:
            self.__init__([cells])  # type: ignore[misc]
        padded = [cell.ljust(width - GAP) + " " * GAP for cell, width in zip(cells, self._widths, strict=True)]
        return "".join(padded).rstrip()


def columns(rows: list[list[str]], header: list[str] | None = None) -> None:
    lines = ([header] if header else []) + rows
    layout = Layout(lines)
    for line in lines:
        click.echo(layout.line(line))


def shown(document: dict[str, Any], *, wide: bool = False) -> list[int]:
    """Which columns of a `meta.k8s.io/v1` Table."""
    return [i for i, column in enumerate(document["columnDefinitions"]) if wide or not column.get("priority")]


def cell(value: Any) -> str:
    """One line of it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    first, *rest = _BREAK.split(str(value), maxsplit=1)
    return f"{first}..." if rest else first


def table(document: dict[str, Any], *, wide: bool = False) -> None:
    """A `meta.k8s.io/v1` Table."""
    chosen = shown(document, wide=wide)
    rows = [[cell(row["cells"][i]) for i in chosen] for row in document["rows"]]
    columns(rows, [document["columnDefinitions"][i]["name"].upper() for i in chosen])


def documents(value: Any, form: str, *, resource: str = "") -> None:
    """One document or a list of them as json, yaml or names."""
    if form == "json":
        click.echo(json.dumps(value, indent=4, ensure_ascii=False))
    elif form == "yaml":
        click.echo(yaml_text(value), nl=False)
    else:
        for item in value.get("items", [value]) if isinstance(value, dict) else value:
            click.echo(f"{resource}/{item['metadata']['name']}")


def written(label: str, document: dict[str, Any], what: str, *, form: str | None, dry_run: bool = False) -> None:
    """What became of an object, in a line; or the object."""
    if form == "name":
        click.echo(label)
    elif form:
        document["metadata"].pop("managedFields", None)
        documents(document, form)
    else:
        click.echo(f"{label} {what}{' (server dry run)' if dry_run else ''}")


def yaml_text(value: Any) -> str:
    """With fields in the order of their names, and text of several lines as such."""
    import yaml

    from common import yaml_documents

    class Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
        """Without anchors: the same value twice is written twice."""

        def ignore_aliases(self, data: Any) -> bool:
            return True

    def text(dumper: Any, data: str) -> Any:
        block = "\n" in data and not re.search(r"[ \t]\n|[^\n\t\x20-\x7e\xa0-\ud7ff\ue000-\ufffd]", data)
        style = "|" if block else None if yaml_documents.is_text(data) else "'"
        return dumper.represent_scalar("tag:yaml.org,2002:str", data, style=style)

    Dumper.add_representer(str, text)
    return yaml.dump(value, Dumper=Dumper, sort_keys=True, allow_unicode=True, default_flow_style=False, width=10**6)
