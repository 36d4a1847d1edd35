"""`kctl get`: objects, as tables, documents or whatever of them is asked for.

    what ──► a request a kind or name ──► rows (the master's Table) or documents ──► sorted ──► printed ──► and again as they change

Owns what is asked in which form, and the layout of several kinds in one answer. Tables are the master's; a name that is not there
does not keep the others from being printed, but the exit code says so.
"""

from __future__ import annotations

import json
from typing import Any

import click
import msgspec

from common.errors import NotFound, SteersmanError
from ctl import kinds, options, output, templates
from ctl.client import Client, connected
from ctl.kinds import Target
from ctl.objects import Objects, selection

Document = dict[str, Any]


class Form(msgspec.Struct, frozen=True):
    """name: table, wide, json, yaml, name, jsonpath, custom-columns; argument: after the `=`."""

    name: str
    argument: str = ""

    @property
    def tabular(self) -> bool:
        return self.name in ("table", "wide")


def form_of(context: click.Context, parameter: click.Parameter, text: str) -> Form:
    name, _, argument = text.partition("=")
    try:
        if name == "jsonpath":
            templates.parse(argument)
        elif name == "custom-columns":
            templates.columns(argument)
        elif name not in output.FORMATS or argument:
            raise ValueError(f"{text!r} is none of {', '.join(output.FORMATS)}, jsonpath=TEMPLATE, custom-columns=NAME:PATH,…")
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    return Form(name, argument)


class Ask(msgspec.Struct, frozen=True):
    """What of the command line says which objects, and how they are laid out. namespace "" is all of them."""

    form: Form
    namespace: str
    query: dict[str, str]
    everywhere: bool
    labels: bool
    headers: bool
    sort_by: str
    managed: bool


class Found(msgspec.Struct):
    """One kind's objects: a Table with its rows' documents, or a list."""

    target: Target
    answer: Document

    @property
    def revision(self) -> int:
        return int(self.answer["metadata"].get("resourceVersion") or 0)

    @property
    def members(self) -> list[Any]:
        return self.answer["rows"] if "rows" in self.answer else self.answer["items"] if "items" in self.answer else [self.answer]


@click.command()
@options.words
@click.option("-o", "--output", "form", default="table", callback=form_of, metavar="FORM",
              help="table, wide, json, yaml, name, jsonpath=TEMPLATE or custom-columns=NAME:PATH,…")
@click.option("-A", "--all-namespaces", "everywhere", is_flag=True, help="Of all namespaces.")
@options.selector
@click.option("--field-selector", "fields", default="", metavar="FIELDS", help="Only those with these fields: status.phase=Running.")
@click.option("-w", "--watch", "watching", is_flag=True, help="Go on with what changes, until Ctrl-C.")
@click.option("--sort-by", default="", metavar="PATH", help="In the order of a field: .metadata.creationTimestamp.")
@click.option("--no-headers", is_flag=True, help="Rows only.")
@click.option("--show-labels", is_flag=True, help="With a column of labels.")
@click.option("--show-managed-fields", "managed", is_flag=True, help="Do not hide metadata.managedFields in json and yaml.")
@click.option("--ignore-not-found", "tolerant", is_flag=True, help="A name that is not there is no error.")
@options.namespaced
@connected
async def get(
    client: Client, words: tuple[str, ...], form: Form, everywhere: bool, selector: str, fields: str, watching: bool, sort_by: str,
    no_headers: bool, show_labels: bool, managed: bool, tolerant: bool, namespace: str,
) -> None:  # fmt: skip
    """Show objects: `kctl get pods`, `kctl get deploy/web -o yaml`, `kctl get pods,svc -A -w`."""
    targets = (await kinds.load(client)).targets(words)
    if watching and len({target.kind for target in targets}) > 1:
        raise click.UsageError("--watch is for one kind at a time")
    if any(target.name for target in targets) and (selector or fields or everywhere):
        raise click.UsageError("a name cannot be given together with --selector, --field-selector or --all-namespaces")
    ask = Ask(
        form, "" if everywhere else options.here(namespace), selection(labels=selector, fields=fields), everywhere=everywhere,
        labels=show_labels, headers=not no_headers, sort_by=sort_by, managed=managed,
    )  # fmt: skip
    objects, found, failed = Objects(client), [], False
    for target in targets:
        try:
            found.append(await _found(objects, target, ask))
        except NotFound as error:
            if not tolerant:
                click.echo(f"Error: {error.message}", err=True)
                failed = True
        except SteersmanError as error:
            if len(targets) == 1:
                raise
            click.echo(f"Error: {error.message}", err=True)
            failed = True
    printer = Printer(ask, several=len({target.kind for target in targets}) > 1)
    printer.show(found)
    if watching and found:
        await _follow(objects, found, ask, printer)
    if failed:
        raise click.exceptions.Exit(1)


def _form(ask: Ask) -> dict[str, Any]:
    if not ask.form.tabular:
        return {"form": "plain"}
    return {"form": "table", "query": {"includeObject": "Object"} if ask.sort_by else {}}


async def _found(objects: Objects, target: Target, ask: Ask) -> Found:
    how = _form(ask)
    namespace = ask.namespace if target.kind.namespaced else ""
    if target.name:
        return Found(target, await objects.get(target.kind.resource, target.name, namespace, **how))
    how["query"] = {**how.get("query", {}), **ask.query}
    return Found(target, await objects.list(target.kind.resource, namespace, **how))


class Printer:
    """several: of more than one kind, which are then told apart by their names."""

    def __init__(self, ask: Ask, *, several: bool) -> None:
        self._ask = ask
        self._several = several
        self._layout: output.Layout | None = None
        self._definitions: list[Document] = []

    def show(self, found: list[Found]) -> None:
        """What was found at first."""
        form = self._ask.form
        if not any(each.members for each in found) and (form.tabular or form.name == "custom-columns"):
            if found:
                click.echo(self._nothing(found), err=True)
        elif form.tabular:
            self._tables(found)
        else:
            self.documents([self._whole(member) for each in found for member in each.members], found)

    def _nothing(self, found: list[Found]) -> str:
        here = self._ask.namespace and any(each.target.kind.namespaced for each in found)
        return f"No resources found in {self._ask.namespace} namespace." if here else "No resources found"

    def _tables(self, found: list[Found]) -> None:
        """One below the other, a table a kind; names of one kind are rows of one table."""
        shown: dict[kinds.Kind, Found] = {}
        for each in found:
            if each.target.kind in shown:
                shown[each.target.kind].members.extend(each.members)
            elif each.members:
                shown[each.target.kind] = each
        for number, each in enumerate(shown.values()):
            if number:
                click.echo()
            self._definitions = each.answer["columnDefinitions"]
            rows = each.members
            if self._ask.sort_by:
                rows = [rows[i] for i in _order([row["object"] for row in rows], self._ask.sort_by)]
            lines = [self.cells(each.target, row) for row in rows]
            header = [self._header()] if self._ask.headers else []
            self._layout = output.Layout(header + lines)
            for line in header + lines:
                click.echo(self._layout.line(line))

    def _shown(self) -> list[int]:
        return output.shown({"columnDefinitions": self._definitions}, wide=self._ask.form.name == "wide")

    def _header(self) -> list[str]:
        names = [self._definitions[i]["name"].upper() for i in self._shown()]
        return [*(["NAMESPACE"] if self._ask.everywhere else []), *names, *(["LABELS"] if self._ask.labels else [])]

    def cells(self, target: Target, row: Document) -> list[str]:
        meta = row["object"]["metadata"]
        cells = [output.cell(row["cells"][i]) for i in self._shown()]
        if self._several and cells:
            cells[0] = target.kind.label(cells[0])
        labels = ",".join(f"{key}={value}" for key, value in sorted((meta.get("labels") or {}).items()))
        if self._ask.everywhere:
            cells.insert(0, meta.get("namespace", ""))
        return [*cells, labels or templates.NONE] if self._ask.labels else cells

    def row(self, target: Target, event: Document) -> None:
        """A row that a watch brought."""
        table = event["object"]
        self._definitions = self._definitions or table["columnDefinitions"]
        for row in table["rows"]:
            cells = self.cells(target, row)
            if self._layout is None:
                self._layout = output.Layout([self._header(), cells])
                if self._ask.headers:
                    click.echo(self._layout.line(self._header()))
            click.echo(self._layout.line(cells))

    def _whole(self, document: Document) -> Document:
        if not self._ask.managed and self._ask.form.name in ("json", "yaml"):
            document["metadata"].pop("managedFields", None)
        return document

    def documents(self, members: list[Document], found: list[Found]) -> None:
        """In one of the forms that are no tables."""
        form, ask = self._ask.form, self._ask
        if ask.sort_by:
            members = [members[i] for i in _order(members, ask.sort_by)]
        if form.name == "name":
            for each in found:
                for member in each.members:
                    click.echo(each.target.kind.label(member["metadata"]["name"]))
        elif form.name == "custom-columns":
            headers, paths = templates.columns(form.argument)
            output.columns([templates.row(paths, member) for member in members], headers if ask.headers else None)
        else:
            single = len(found) == 1 and "items" not in found[0].answer
            if not found:
                return
            self.document(members[0] if single else _list(members))

    def document(self, document: Document) -> None:
        form = self._ask.form
        if form.name == "jsonpath":
            click.echo(templates.render(templates.parse(form.argument), document), nl=False)
        elif form.name == "yaml":
            click.echo(output.yaml_text(document), nl=False)
        else:
            click.echo(json.dumps(document, indent=4, ensure_ascii=False, sort_keys=True))


def _list(members: list[Document]) -> Document:
    return {"apiVersion": "v1", "items": members, "kind": "List", "metadata": {"resourceVersion": ""}}


def _order(documents: list[Document], path: str) -> list[int]:
    try:
        return templates.ordered(documents, path)
    except ValueError as error:
        raise click.ClickException(f"--sort-by: {error}") from None


async def _follow(objects: Objects, found: list[Found], ask: Ask, printer: Printer) -> None:
    target = found[0].target
    if target.name and len(found) > 1:
        raise click.UsageError("--watch is for one name, or all of a kind")
    query = selection(fields=f"metadata.name={target.name}") if target.name else ask.query
    namespace = ask.namespace if target.kind.namespaced else ""
    how = {"form": "table" if ask.form.tabular else "plain", "query": query, "after": found[0].revision or None}
    async for event in objects.watch(target.kind.resource, namespace, **how):
        if ask.form.tabular:
            printer.row(target, event)
        else:
            printer.documents([event["object"]], [Found(target, event["object"])])
