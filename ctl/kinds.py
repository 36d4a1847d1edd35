"""What the master serves, as kctl's users name it: kinds, their plurals and short names, categories.

Owns the words on the command line (`po`, `deploy/web`, `pods,services`, `all`) and what they mean; the facts are the master's discovery,
asked for once a command. Pure but for `load`.
"""

from __future__ import annotations

from typing import Any

import click
import msgspec

from ctl.client import Client


class Kind(msgspec.Struct, frozen=True):
    plural: str
    singular: str
    kind: str
    group: str
    version: str
    namespaced: bool
    verbs: tuple[str, ...] = ()
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """The word for it that the master takes, and that means nothing else."""
        return f"{self.plural}.{self.version}.{self.group}" if self.group else self.plural

    def label(self, name: str) -> str:
        """`pod/web`, `deployment.apps/web`."""
        return f"{self.singular}.{self.group}/{name}" if self.group else f"{self.singular}/{name}"


class Target(msgspec.Struct, frozen=True):
    """name "": all of the kind."""

    kind: Kind
    name: str = ""


class Kinds:
    def __init__(self, kinds: list[Kind]) -> None:
        self.all = kinds

    def named(self, word: str) -> Kind:
        """Raises ClickException for a word that means nothing."""
        name, _, where = word.lower().partition(".")
        for kind in self.all:
            if name in (kind.plural, kind.singular, kind.kind.lower(), *kind.short_names):
                if where in ("", kind.group, f"{kind.version}.{kind.group}"):
                    return kind
        raise click.ClickException(f'the server doesn\'t have a resource type "{word}": kctl api-resources lists those it has')

    def of(self, api_version: str, kind: str) -> Kind | None:
        return next((each for each in self.all if (each.api_version, each.kind) == (api_version, kind)), None)

    def meant(self, words: str) -> list[Kind]:
        """`pods,services`, `all`."""
        found: list[Kind] = []
        for word in filter(None, words.split(",")):
            members = [kind for kind in self.all if word.lower() in kind.categories and "list" in kind.verbs]
            found += members or [self.named(word)]
        if not found:
            raise click.UsageError("name a kind, such as pods; kctl api-resources lists them")
        return list(dict.fromkeys(found))

    def targets(self, words: tuple[str, ...]) -> list[Target]:
        """`KIND`, `KIND,KIND`, `KIND NAME…`, `KIND/NAME…`."""
        if not words:
            raise click.UsageError("name what: KIND, KIND NAME or KIND/NAME; kctl api-resources lists the kinds")
        slashed = [word for word in words if "/" in word]
        if not slashed:
            kinds = self.meant(words[0])
            return [Target(kind, name) for kind in kinds for name in (words[1:] or ("",))]
        if len(slashed) < len(words):
            raise click.UsageError("there is no need to name a kind apart when names are given as KIND/NAME")
        found = []
        for word in words:
            kind, _, name = word.partition("/")
            if not kind or not name or "/" in name:
                raise click.UsageError(f"{word!r} is not of the form KIND/NAME")
            found.append(Target(self.named(kind), name))
        return found


def of_discovery(document: dict[str, Any]) -> Kinds:
    found = []
    for group in document["items"]:
        for version in group["versions"]:
            for entry in version["resources"]:
                found.append(Kind(
                    entry["resource"], entry["singularResource"], entry["responseKind"]["kind"], group["metadata"].get("name", ""),
                    version["version"], entry["scope"] == "Namespaced", tuple(entry["verbs"]), tuple(entry.get("shortNames", ())),
                    tuple(entry.get("categories", ())),
                ))  # fmt: skip
    return Kinds(found)


async def load(client: Client) -> Kinds:
    async with client.asking("discovery") as answer:
        return of_discovery(msgspec.json.decode(await answer.body()))
