"""What kctl prints: tables, JSON, YAML, names.

Tables come from the master (the same columns as kubectl's); kctl only lays them out. Data goes to standard output, everything
said about it to standard error.
"""

from __future__ import annotations

import json
from typing import Any

import click
import yaml

FORMATS = ("table", "wide", "json", "yaml", "name")


def output_option(command: Any) -> Any:
    """`-o/--output`."""
    return click.option(
        "-o", "--output", "form", type=click.Choice(FORMATS), default="table", help="How to print: table (default), wide, json, yaml, name."
    )(command)


def columns(rows: list[list[str]], header: list[str] | None = None) -> None:
    """Left-aligned columns, three spaces apart, as kubectl prints them."""
    lines = ([header] if header else []) + rows
    if not lines:
        return
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for line in lines:
        click.echo("   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def table(document: dict[str, Any], *, wide: bool = False) -> None:
    """A `meta.k8s.io/v1` Table."""
    definitions = document["columnDefinitions"]
    shown = [i for i, column in enumerate(definitions) if wide or not column.get("priority")]
    rows = [[str(row["cells"][i]) for i in shown] for row in document["rows"]]
    columns(rows, [definitions[i]["name"].upper() for i in shown])


def documents(value: Any, form: str, *, resource: str = "") -> None:
    """One document or a list of them as json, yaml or names."""
    if form == "json":
        click.echo(json.dumps(value, indent=4, ensure_ascii=False))
    elif form == "yaml":
        click.echo(yaml.safe_dump(value, sort_keys=True, allow_unicode=True, default_flow_style=False).rstrip())
    else:
        for item in value.get("items", [value]) if isinstance(value, dict) else value:
            click.echo(f"{resource}/{item['metadata']['name']}")
